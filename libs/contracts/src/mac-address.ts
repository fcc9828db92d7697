import { z } from 'zod';

/** The longest link-layer address in use has 20 octets (InfiniBand, RFC 4391 section 9.1.1). */
const MAX_OCTETS = 20;

const NOTATIONS = [
  /^[0-9A-F]{2}(?::[0-9A-F]{2})*$/i,
  /^[0-9A-F]{2}(?:-[0-9A-F]{2})*$/i,
  /^[0-9A-F]{4}(?:\.[0-9A-F]{4})*$/i,
  /^(?:[0-9A-F]{2})+$/i,
];

/**
 * The one form in which a MAC address is stored and compared: upper-case octets with colons. Undefined if the text is none of
 * `CE:13:14:15`, `ce-13-14-15`, `CE131415` and `ce13.1415`, or has more than 20 octets.
 */
export function canonicalMac(text: string): string | undefined {
  if (!NOTATIONS.some((notation) => notation.test(text))) return undefined;
  const octets = text.toUpperCase().match(/[0-9A-F]{2}/g) ?? [];
  return octets.length > MAX_OCTETS ? undefined : octets.join(':');
}

/** A MAC address, or another id of 1-20 hex pairs, in any usual notation; parsed into its canonical form. */
export const MacAddress = z
  .string()
  .trim()
  .max(64)
  .refine((text) => canonicalMac(text) !== undefined, {
    error: 'must be 1-20 pairs of hex digits, for example "CE:13:14:15"',
  })
  .overwrite((text) => canonicalMac(text) ?? text);
