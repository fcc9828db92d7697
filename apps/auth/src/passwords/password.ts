import { z } from 'zod';

const LONGEST = 1024;

/** A password as somebody chooses it: 8 to 1,024 characters of any kind. */
export const NewPassword = z.string().min(8).max(LONGEST);

/** A password as somebody types it to be checked: a short one is wrong rather than invalid. */
export const TypedPassword = z.string().min(1).max(LONGEST);
