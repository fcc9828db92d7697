import { z } from 'zod';
import { text } from '../text.ts';
import { CREDENTIAL_KINDS, type CredentialEntity } from './credential.entity.ts';

/** Longest time that an old credential may go on beside its successor, in seconds: 30 days. */
const MAX_OVERLAP_S = 2_592_000;

const Kind = z.enum(CREDENTIAL_KINDS);

/** A credential without its secret; times are ms since the epoch. */
export const CredentialView = z
  .object({
    id: z.uuid(),
    kind: Kind,
    userName: z.string().nullable().describe('Of a password'),
    pending: z.boolean().describe('true: given out and not yet activated, it does not work until it is'),
    createdAt: z.int(),
    expiresAt: z.int().nullable(),
  })
  .meta({ id: 'RegistryCredential' });
export type CredentialView = z.output<typeof CredentialView>;

export const CredentialList = z.object({ items: z.array(CredentialView) }).meta({ id: 'RegistryCredentialList' });
export type CredentialList = z.output<typeof CredentialList>;

/** A new credential: the only time that its secret is shown. The token of a `device-jwt` ends at `expiresAt`, ms since the epoch. */
export const IssuedCredential = z
  .discriminatedUnion('kind', [
    z.object({ id: z.uuid(), kind: z.literal('access-token'), accessToken: z.string() }),
    z.object({ id: z.uuid(), kind: z.literal('password'), userName: z.string(), password: z.string() }),
    z.object({ id: z.uuid(), kind: z.literal('device-jwt'), token: z.string(), expiresAt: z.int() }),
  ])
  .meta({ id: 'RegistryIssuedCredential' });
export type IssuedCredential = z.output<typeof IssuedCredential>;

export const NewCredential = z
  .strictObject({
    kind: Kind.default('access-token'),
    userName: text(256)
      .optional()
      .describe("Of a password; by default the customer's number and the MAC address, or the id of the device"),
  })
  .refine(({ kind, userName }) => kind === 'password' || userName === undefined, {
    path: ['userName'],
    message: 'is for the kind "password" only',
  })
  .default({ kind: 'access-token' })
  .meta({ id: 'RegistryNewCredential' });
export type NewCredential = z.output<typeof NewCredential>;

export const Rotation = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(MAX_OVERLAP_S)
      .default(0)
      .describe('How long the old credential goes on beside the new one'),
  })
  .default({ overlapSeconds: 0 })
  .meta({ id: 'RegistryRotation' });
export type Rotation = z.output<typeof Rotation>;

export const credentialView = (row: CredentialEntity): CredentialView => ({
  id: row.id,
  kind: row.kind,
  userName: row.userName,
  pending: row.pending,
  createdAt: row.createdAt.getTime(),
  expiresAt: row.expiresAt?.getTime() ?? null,
});
