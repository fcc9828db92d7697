import { In, LessThanOrEqual, type EntityManager } from 'typeorm';
import { CodedError, type Actor } from '#contracts';
import { isUniqueViolation } from '#sql';
import { audit, type AuditRecord } from '../audit/audit.ts';
import type { Change } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { CredentialEntity, type CredentialKind } from './credential.entity.ts';
import type { KeptSecret } from './new-secrets.ts';

/** Most credentials of one device at a time. */
const MAX_CREDENTIALS = 16;

/** Keeps a secret of a locked device. What ended by itself makes room first. Throws `CREDENTIAL_LIMIT_REACHED`, `CONFLICT` if it is in use. */
export async function insertCredential(
  manager: EntityManager,
  deviceId: string,
  secret: KeptSecret,
  now: number,
): Promise<CredentialEntity> {
  await manager.delete(CredentialEntity, { deviceId, expiresAt: LessThanOrEqual(new Date(now)) });
  if ((await manager.countBy(CredentialEntity, { deviceId })) >= MAX_CREDENTIALS) {
    throw new CodedError(
      'CREDENTIAL_LIMIT_REACHED',
      `The device has ${String(MAX_CREDENTIALS)} credentials: revoke one that is not in use first.`,
    );
  }
  const row = manager.create(CredentialEntity, {
    userName: null,
    clientId: null,
    passwordHash: null,
    pending: false,
    generation: null,
    expiresAt: null,
    ...secret,
    deviceId,
    createdAt: new Date(now),
  });
  await orInUse(row, () => manager.insert(CredentialEntity, row));
  return row;
}

/** No two devices share a secret, nor what one is found by. */
async function orInUse({ kind }: CredentialEntity, insert: () => Promise<unknown>): Promise<void> {
  try {
    await insert();
  } catch (error) {
    if (!isUniqueViolation(error, 'uq_credentials_secret_hash', 'credentials.secret_hash')) throw error;
    throw new CodedError(
      'CONFLICT',
      `${IN_USE[kind]} is in use already: revoke that credential, or choose another one.`,
    );
  }
}

const IN_USE: Record<CredentialKind, string> = {
  'access-token': 'That access token',
  password: 'That user name with that password',
  'device-jwt': 'That token',
  'mqtt-basic': 'That client id with that user name',
  certificate: 'That certificate',
};

/** After a derived token has ended, the device that provisions itself again gets the next one. */
export async function endGeneration(manager: EntityManager, { deviceId, generation }: CredentialEntity): Promise<void> {
  if (generation === null) return;
  await manager.update(
    DeviceEntity,
    { id: deviceId, tokenGeneration: generation },
    { tokenGeneration: generation + 1 },
  );
}

/** Ends credentials of a locked device at once. */
export async function endCredentials(
  manager: EntityManager,
  device: DeviceEntity,
  rows: CredentialEntity[],
  { actor, now }: Change,
): Promise<void> {
  if (rows.length === 0) return;
  for (const row of rows) await endGeneration(manager, row);
  await manager.delete(CredentialEntity, { id: In(rows.map(({ id }) => id)) });
  await audit(manager, now, ...rows.map((row) => credentialRecord(actor, 'credential.revoked', device, row)));
}

/** Has its time come? */
export const hasEnded = ({ expiresAt }: CredentialEntity, now: number): boolean =>
  expiresAt !== null && expiresAt.getTime() <= now;

/** What the audit trail says of a credential: whose it is and of what kind, never its secret. */
export function credentialRecord(
  actor: Actor,
  action: 'credential.created' | 'credential.rotated' | 'credential.revoked',
  device: Pick<DeviceEntity, 'id' | 'name' | 'customerId'>,
  { id, kind, secretHash, userName = null, clientId = null }: KeptSecret,
): AuditRecord {
  const of = action === 'credential.revoked' ? 'from' : 'to';
  const fingerprint = kind === 'certificate' ? secretHash : null;
  const told = Object.entries({ device: device.id, kind, userName, clientId, fingerprint });
  return {
    actor,
    action,
    subject: { kind: 'credential', id, name: device.name, customerId: device.customerId },
    changes: Object.fromEntries(
      told
        .filter(([, value]) => value !== null)
        .map(([field, value]) => [field, { from: null, to: null, [of]: value }]),
    ),
  };
}
