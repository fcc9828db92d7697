import { z } from 'zod';

/** RFC 5321 section 4.5.3.1: a path of 256 octets less its angle brackets. */
const EMAIL_CHARS = 254;

/** An email address as it identifies a person: trimmed and in lower case. */
export const Email = z.string().trim().toLowerCase().max(EMAIL_CHARS).pipe(z.email('must be an email address'));

/** What somebody typed as their email at the login: no form is refused, so that every wrong one gets the same answer. */
export const TypedEmail = z.string().max(EMAIL_CHARS).trim().toLowerCase();

const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u;

/** What a person is called: 1 to 200 characters without control characters. */
export const PersonName = z.string().trim().min(1).max(200).regex(PRINTABLE, 'must not hold control characters');
