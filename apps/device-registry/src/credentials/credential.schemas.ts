import { z } from 'zod';
import { readCertificate } from '#access';
import { exactText, text } from '#platform';
import { CREDENTIAL_KINDS, type CredentialEntity, type CredentialKind } from './credential.entity.ts';

/** Longest time that an old credential may go on beside its successor, in seconds: 30 days. */
const MAX_OVERLAP_S = 2_592_000;

/** Longest certificate in PEM, in characters. */
const MAX_CERTIFICATE = 16_384;

const Kind = z.enum(CREDENTIAL_KINDS);

/** A credential without its secret; times are ms since the epoch. */
export const CredentialView = z
  .object({
    id: z.uuid(),
    kind: Kind,
    userName: z.string().nullable().describe('Of a password, or of MQTT'),
    clientId: z.string().nullable().describe('Of MQTT; null: any is let in'),
    fingerprint: z.string().nullable().describe('Of a certificate: SHA-256 of its DER form, hexadecimal'),
    pending: z.boolean().describe('true: given out and not yet activated, it does not work until it is'),
    createdAt: z.int(),
    expiresAt: z.int().nullable(),
  })
  .meta({ id: 'RegistryCredential' });
export type CredentialView = z.output<typeof CredentialView>;

export const CredentialList = z.object({ items: z.array(CredentialView) }).meta({ id: 'RegistryCredentialList' });
export type CredentialList = z.output<typeof CredentialList>;

/**
 * A new credential: the only time that its secret is shown. The token of a `device-jwt`, and a certificate, ends at `expiresAt`, ms since
 * the epoch. What somebody chose themselves is not shown again.
 */
export const IssuedCredential = z
  .discriminatedUnion('kind', [
    z.object({ id: z.uuid(), kind: z.literal('access-token'), accessToken: z.string() }),
    z.object({ id: z.uuid(), kind: z.literal('password'), userName: z.string(), password: z.string() }),
    z.object({ id: z.uuid(), kind: z.literal('device-jwt'), token: z.string(), expiresAt: z.int() }),
    z.object({
      id: z.uuid(),
      kind: z.literal('mqtt-basic'),
      clientId: z.string().nullable(),
      userName: z.string().nullable(),
      password: z.string().optional().describe('Of a successor, whose password is of our making'),
    }),
    z.object({ id: z.uuid(), kind: z.literal('certificate'), fingerprint: z.string(), expiresAt: z.int() }),
  ])
  .meta({ id: 'RegistryIssuedCredential' });
export type IssuedCredential = z.output<typeof IssuedCredential>;

/** Which kinds of credentials a field is for. */
const FIELDS = {
  userName: ['password', 'mqtt-basic'],
  clientId: ['mqtt-basic'],
  password: ['mqtt-basic'],
  certificate: ['certificate'],
} as const satisfies Record<string, readonly CredentialKind[]>;

type Fields = Partial<Record<keyof typeof FIELDS, string | undefined>>;

const isFor = (field: keyof typeof FIELDS, kind: CredentialKind): boolean =>
  FIELDS[field].some((other) => other === kind);

/** What a credential of that kind cannot have, and what it lacks: by field. */
function* problemsOf(kind: CredentialKind, given: Fields): Generator<[field: string, message: string]> {
  for (const field of ['userName', 'clientId', 'password', 'certificate'] as const) {
    if (given[field] === undefined || isFor(field, kind)) continue;
    yield [field, `is for the kind ${FIELDS[field].map((name) => `"${name}"`).join(' or ')} only`];
  }
  if (kind === 'mqtt-basic' && given.clientId === undefined && given.userName === undefined) {
    yield ['userName', 'is needed, or a clientId, or both'];
  }
  if (kind === 'mqtt-basic' && given.password === undefined) yield ['password', 'is needed'];
  if (kind !== 'certificate') return;
  if (given.certificate === undefined) yield ['certificate', 'is needed'];
  else if (!readCertificate(given.certificate)) yield ['certificate', 'is no X.509 certificate in PEM'];
}

export const NewCredential = z
  .strictObject({
    kind: Kind.default('access-token'),
    userName: text(256)
      .optional()
      .describe(
        "Of a password, by default the customer's number and the MAC address, or the id of the device; or of MQTT, by default any",
      ),
    clientId: exactText(256).optional().describe('Of MQTT; by default any'),
    password: exactText(256).optional().describe('Of MQTT, as the device has it'),
    certificate: z
      .string()
      .max(MAX_CERTIFICATE)
      .optional()
      .describe("The client's certificate in PEM: the credential ends when it does"),
  })
  .superRefine(({ kind, ...given }, context) => {
    for (const [field, message] of problemsOf(kind, given)) {
      context.addIssue({ code: 'custom', path: [field], message });
    }
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
  clientId: row.clientId,
  fingerprint: row.kind === 'certificate' ? row.secretHash : null,
  pending: row.pending,
  createdAt: row.createdAt.getTime(),
  expiresAt: row.expiresAt?.getTime() ?? null,
});
