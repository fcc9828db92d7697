import { z } from 'zod';
import { Role, type UserPrincipal } from '#contracts';

/** What a person's access token says (RFC 7519); `sid` is the login, `cid` the customer, `at` the time of issue in ms. */
export const Claims = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  role: Role,
  cid: z.uuid().nullable(),
  at: z.number().int(),
  exp: z.number().int(),
});
export type Claims = z.output<typeof Claims>;

export const principalOf = (claims: Claims): UserPrincipal => ({
  kind: 'user',
  userId: claims.sub,
  sessionId: claims.sid,
  role: claims.role,
  customerId: claims.cid,
});
