import { LessThanOrEqual, type EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { uuid7 } from '#platform';
import { DeviceEntity } from '../devices/device.entity.ts';
import { tokenHash } from './access-token.ts';
import { CredentialEntity } from './credential.entity.ts';

/** Most credentials of one device at a time. */
const MAX_CREDENTIALS = 16;

/**
 * Keeps a token of a locked device, `generation` null for a random one. What ended by itself makes room first.
 * Throws `CREDENTIAL_LIMIT_REACHED`.
 */
export async function insertCredential(
  manager: EntityManager,
  deviceId: string,
  token: { text: string; generation: number | null },
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
    id: uuid7(now),
    deviceId,
    kind: 'access-token',
    secretHash: tokenHash(token.text),
    userName: null,
    pending: false,
    generation: token.generation,
    createdAt: new Date(now),
    expiresAt: null,
  });
  await manager.insert(CredentialEntity, row);
  return row;
}

/** After a derived token has ended, the device that provisions itself again gets the next one. */
export async function endGeneration(manager: EntityManager, { deviceId, generation }: CredentialEntity): Promise<void> {
  if (generation === null) return;
  await manager.update(
    DeviceEntity,
    { id: deviceId, tokenGeneration: generation },
    { tokenGeneration: generation + 1 },
  );
}
