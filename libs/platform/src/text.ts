import { z } from 'zod';

/** Neither control characters nor halves of surrogate pairs, which no database keeps as they are. */
const STORABLE = /^[^\p{Cc}\p{Cs}]*$/u;

/** One line of text, 1 to `max` characters without the white space around it. */
export const text = (max: number) =>
  z.string().trim().min(1).max(max).regex(STORABLE, 'must be one line without control characters');

/** One line of text, 1 to `max` characters, as it is. */
export const exactText = (max: number) =>
  z.string().min(1).max(max).regex(STORABLE, 'must be one line without control characters');

/** Is this storable as it is? */
export const isStorable = (value: string): boolean => !/\p{Cs}/u.test(value);
