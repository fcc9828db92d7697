import { z } from 'zod';

/** What a login and a refresh answer with; `token` and `accessToken` are the same. */
export const TokenPair = z
  .object({
    token: z.string(),
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    /** Seconds until the access token expires. */
    expiresIn: z.number().int(),
    refreshToken: z.string(),
  })
  .meta({ id: 'AuthTokenPair' });
export type TokenPair = z.output<typeof TokenPair>;
