import { z } from 'zod';
import { CREDENTIAL_KINDS, type CredentialEntity } from './credential.entity.ts';

/** Longest time that an old token may go on beside its successor, in seconds: 30 days. */
const MAX_OVERLAP_S = 2_592_000;

const Kind = z.enum(CREDENTIAL_KINDS);

/** A credential without its secret; times are ms since the epoch. */
export const CredentialView = z
  .object({
    id: z.uuid(),
    kind: Kind,
    createdAt: z.int(),
    expiresAt: z.int().nullable(),
  })
  .meta({ id: 'RegistryCredential' });
export type CredentialView = z.output<typeof CredentialView>;

export const CredentialList = z.object({ items: z.array(CredentialView) }).meta({ id: 'RegistryCredentialList' });
export type CredentialList = z.output<typeof CredentialList>;

/** A new credential: the only time that its token is shown. */
export const IssuedCredential = z
  .object({ id: z.uuid(), kind: Kind, accessToken: z.string() })
  .meta({ id: 'RegistryIssuedCredential' });
export type IssuedCredential = z.output<typeof IssuedCredential>;

export const NewCredential = z
  .strictObject({ kind: z.literal('access-token').default('access-token') })
  .optional()
  .meta({ id: 'RegistryNewCredential' });

export const Rotation = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(MAX_OVERLAP_S)
      .default(0)
      .describe('How long the old token goes on beside the new one'),
  })
  .default({ overlapSeconds: 0 })
  .meta({ id: 'RegistryRotation' });
export type Rotation = z.output<typeof Rotation>;

export const credentialView = (row: CredentialEntity): CredentialView => ({
  id: row.id,
  kind: row.kind,
  createdAt: row.createdAt.getTime(),
  expiresAt: row.expiresAt?.getTime() ?? null,
});
