/** What a device is found by. */
interface Searchable {
  name: string;
  serial: string | null;
  macAddress: string | null;
}

/** Above every character: what begins with `x` lies between `x` and `x` followed by this. */
const LAST_CHARACTER = '\u{10FFFF}';
const MAX_WORDS = 8;
/** Longest term, in characters: normalisation may lengthen a word. */
const MAX_TERM = 128;

const folded = (text: string): string => text.normalize('NFC').toLowerCase();
const wordsOf = (text: string): string[] => folded(text).split(/\s+/u).filter(Boolean);
const partsOf = (word: string): string[] => word.split(/[^\p{L}\p{M}\p{N}]+/u).filter(Boolean);
const shortened = (term: string): string => Array.from(term).slice(0, MAX_TERM).join('');
const withoutSeparators = (word: string): string => word.replaceAll(/[:.-]/g, '');
const looksLikeMac = (word: string): boolean => /^[0-9a-f]+(?:[:.-][0-9a-f]*)+$/.test(word);

/** Every term of a device, each once: words of its name and serial, parts of those between punctuation, and its MAC address. */
export function termsOf({ name, serial, macAddress }: Searchable): string[] {
  const words = wordsOf(`${name} ${serial ?? ''}`);
  const mac = macAddress === null ? [] : [withoutSeparators(folded(macAddress))];
  return [...new Set([...words, ...words.flatMap(partsOf), ...mac].map(shortened))];
}

/** Half-open range of terms in the order of code points: `from` <= term < `to`. */
export interface TermRange {
  from: string;
  to: string;
}

/** What a search text asks for: every word (of the first eight) has to begin a term of the device, in one of its spellings. */
export const searchedRanges = (text: string): TermRange[][] =>
  [...new Set(wordsOf(text))].slice(0, MAX_WORDS).map((word) => spellingsOf(word).map(rangeOf));

/** A MAC address is found with any separators. */
const spellingsOf = (word: string): string[] => (looksLikeMac(word) ? [word, withoutSeparators(word)] : [word]);

/** What begins like this. */
export const rangeOf = (prefix: string): TermRange => ({ from: prefix, to: prefix + LAST_CHARACTER });
