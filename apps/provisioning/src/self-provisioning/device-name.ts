import { randomInt } from 'node:crypto';
import { invalidInput, text } from '#platform';

const Name = text(128);
const ALPHANUMERICS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const RANDOM_LENGTH = 20;

/** The name that a device gives itself; one that gives none gets a random one. Throws `INVALID_INPUT` for what cannot be one. */
export function deviceNameOf(said: string | undefined): string {
  if (said === undefined || said.trim() === '') return randomName();
  const name = Name.safeParse(said);
  if (name.success) return name.data;
  throw invalidInput('/deviceName', 'must be one line of at most 128 characters');
}

const randomName = (): string =>
  Array.from({ length: RANDOM_LENGTH }, () => ALPHANUMERICS[randomInt(ALPHANUMERICS.length)]).join('');
