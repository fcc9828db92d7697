import { z } from 'zod';

/** admin: everything; operator: the devices and users of one customer; user: devices they own or were shared. */
export const Role = z.enum(['admin', 'operator', 'user']);
export type Role = z.output<typeof Role>;

/** A person who is calling, as the access token says. */
export const UserPrincipal = z.object({
  kind: z.literal('user'),
  userId: z.uuid(),
  /** The login this token belongs to. */
  sessionId: z.uuid(),
  role: Role,
  customerId: z.uuid().nullable(),
});
export type UserPrincipal = z.output<typeof UserPrincipal>;

/** A public key as JWKS has it (RFC 7517). */
export const Jwk = z.looseObject({
  kty: z.string(),
  kid: z.string(),
  use: z.string(),
  alg: z.string(),
  crv: z.string(),
  x: z.string(),
  y: z.string(),
});
export const Jwks = z.object({ keys: z.array(Jwk) }).meta({ id: 'Jwks' });
export type Jwks = z.output<typeof Jwks>;

/** Issuer and audience of people's access tokens. */
export const TOKEN_ISSUER = 'fieldline';
export const TOKEN_AUDIENCE = 'fieldline';

/** A login that ended: its access tokens are refused until `until` (ms), when the last of them has expired anyway. */
export const EndedSession = z.object({ sessionId: z.uuid(), userId: z.uuid(), until: z.number().int() });
export type EndedSession = z.output<typeof EndedSession>;

/** A user whose access tokens issued before `validAfter` (ms) are refused, until `until` (ms). */
export const ChangedUser = z.object({ userId: z.uuid(), validAfter: z.number().int(), until: z.number().int() });
export type ChangedUser = z.output<typeof ChangedUser>;

/** Everything revoked that could still be within its time. */
export const Revocations = z.object({ sessions: z.array(EndedSession), users: z.array(ChangedUser) });
export type Revocations = z.output<typeof Revocations>;
