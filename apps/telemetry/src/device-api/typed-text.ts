/** A plain decimal, as ThingsBoard's type cast knows it: `12`, `-3.5`, `.5`, `007`; not `1e5`, `+5`, `1.`, `NaN`. */
const DECIMAL = /^-?(?:\d+|\d*\.\d+)$/;
/** Digits that a double keeps whatever they are (IEEE 754). */
const EXACT_DIGITS = 15;
/** Longer ones are no numbers that anybody measured. */
const LONGEST = 32;

/**
 * A text as the number that it writes, which is how ThingsBoard stores it; any other text as it is, and also one with more digits than
 * a number could keep.
 */
export function typedText(text: string): string | number {
  if (text.length > LONGEST || !DECIMAL.test(text)) return text;
  const significant = text.replace(/^-?[0.]*/, '').replace('.', '');
  return significant.length > EXACT_DIGITS ? text : Number(text);
}
