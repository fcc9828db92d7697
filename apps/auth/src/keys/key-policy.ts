/** When a key begins to sign, ms since the epoch. */
export interface KeyTimes {
  signsFrom: number;
}

export interface KeyRules {
  /** How long a key signs, in ms. */
  rotationMs: number;
  /** How long an access token is valid, in ms. */
  tokenMs: number;
}

/** Longest time from a key's publication to its first token, in ms: longer than anybody keeps the list of keys. */
const PUBLISHED_AHEAD_MS = 3_600_000;
/** How far the clocks of replicas may differ, in ms. */
const CLOCK_SKEW_MS = 60_000;

/** A key is published this long before it signs, in ms. */
export const publishedAheadMs = ({ rotationMs }: KeyRules): number => Math.min(PUBLISHED_AHEAD_MS, rotationMs / 2);

/** The key that signs now: the last one that has begun. `keys` are in the order of their making. */
export const signerOf = <K extends KeyTimes>(keys: readonly K[], now: number): K | undefined =>
  keys.findLast(({ signsFrom }) => signsFrom <= now);

/** When the key to be made now shall begin to sign; undefined if none is due. The first one does at once. */
export function nextSignsFrom(keys: readonly KeyTimes[], rules: KeyRules, now: number): number | undefined {
  const newest = keys.at(-1);
  if (!newest) return now;
  const due = newest.signsFrom + rules.rotationMs;
  const ahead = publishedAheadMs(rules);
  return due - ahead <= now ? Math.max(due, now + ahead) : undefined;
}

/** Keys whose last token has expired: their successor has signed for longer than a token is valid. */
export function retiredKeys<K extends KeyTimes>(keys: readonly K[], rules: KeyRules, now: number): K[] {
  return keys.filter((_key, index) => {
    const successor = keys[index + 1];
    return successor !== undefined && successor.signsFrom + rules.tokenMs + CLOCK_SKEW_MS <= now;
  });
}
