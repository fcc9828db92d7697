import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { RpcReply, RpcRequest } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, isUniqueViolation } from '#sql';
import { audit } from '../audit/audit.ts';
import { ChosenPasswords } from '../credentials/chosen-passwords.ts';
import { credentialRecord, endCredentials, insertCredential } from '../credentials/credential-rows.ts';
import { CredentialEntity } from '../credentials/credential.entity.ts';
import { DerivedTokens } from '../credentials/derived-tokens.ts';
import type { KeptSecret } from '../credentials/new-secrets.ts';
import { REGISTRY } from '../data-source-name.ts';
import { insertDevice, type Change } from '../devices/device-rows.ts';
import { enterState } from '../devices/device-states.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { askedSecret } from './asked-secret.ts';
import { knownDevice, requireAdmissible, selfProvisionedIdentity } from './known-device.ts';

type Asked = RpcRequest<'registry.devices.selfProvision'>;

/** Fifty that ask for one device at once may meet often. */
const ATTEMPTS = 20;

/** What became of a device that asked: `ended` are credentials that it has no more. */
interface Outcome {
  device: DeviceEntity;
  change: 'created' | 'updated' | null;
  ended: CredentialEntity[];
}

/** Devices that a provisioning key lets in by the name that they give themselves. */
@Injectable()
export class SelfProvisioning {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(DerivedTokens) private readonly tokens: DerivedTokens,
    @Inject(ChosenPasswords) private readonly passwords: ChosenPasswords,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * The device with the credentials that it asks for, and no others; a token of our making is the same one however often it is asked for.
   * Throws `DEVICE_EXISTS`, `DEVICE_DISABLED`, `DEVICE_LIMIT_REACHED`, `CONFLICT` for credentials of another device, `INVALID_INPUT`.
   */
  async provision(asked: Asked): Promise<RpcReply<'registry.devices.selfProvision'>> {
    const secret = await askedSecret(asked.credentials, this.passwords, this.now());
    const outcome = await this.settled(asked, secret);
    this.tell(outcome);
    const device = deviceRef(outcome.device);
    if (secret !== null) return { device, credentials: asked.credentials };
    return { device, credentials: { kind: 'access-token', token: await this.tokens.of(outcome.device) } };
  }

  /** Again if another request made the device meanwhile: then it is there. */
  private async settled(asked: Asked, secret: KeptSecret | null, attempts = ATTEMPTS): Promise<Outcome> {
    try {
      return await inTransaction(this.dataSource, (manager) => this.settle(manager, asked, secret), ATTEMPTS);
    } catch (error) {
      if (attempts <= 1 || !isUniqueViolation(error)) throw error;
      return this.settled(asked, secret, attempts - 1);
    }
  }

  private async settle(manager: EntityManager, asked: Asked, secret: KeptSecret | null): Promise<Outcome> {
    const change = { actor: { kind: 'provisioning-key', id: asked.keyId }, now: this.now() } as const;
    const known = await knownDevice(manager, asked);
    if (!known) {
      const device = await made(manager, asked, change);
      if (secret) await give(manager, device, secret, change);
      return { device, change: 'created', ended: [] };
    }
    const held = await manager.find(CredentialEntity, { where: { deviceId: known.id }, order: { id: 'ASC' } });
    requireAdmissible(known, held, asked.keyId, change.now);
    const ended = await this.replace(manager, known, held, secret, change);
    const device = await letIn(manager, known, asked.keyId, change);
    return { device, change: device === known ? null : 'updated', ended };
  }

  /** What is not asked for ends; gives what has ended. */
  private async replace(
    manager: EntityManager,
    device: DeviceEntity,
    held: CredentialEntity[],
    secret: KeptSecret | null,
    change: Change,
  ): Promise<CredentialEntity[]> {
    const kept = held.find((row) => isAsked(row, device, secret));
    const ended = held.filter((row) => row !== kept);
    await endCredentials(manager, device, ended, change);
    if (secret && !kept) await give(manager, device, secret, change);
    return ended;
  }

  private tell({ device, change, ended }: Outcome): void {
    for (const { id } of ended) {
      this.events.publish('registry.credentials.revoked', { deviceId: device.id, credentialId: id });
    }
    if (change) this.events.publish('registry.device.changed', { change, device: deviceRef(device) });
  }
}

/** Is it what is asked for already? Of tokens of our making, the present one. Whether a password is the same cannot be seen. */
function isAsked(row: CredentialEntity, { tokenGeneration }: DeviceEntity, secret: KeptSecret | null): boolean {
  if (secret === null) return row.generation === tokenGeneration;
  return row.kind !== 'mqtt-basic' && row.kind === secret.kind && row.secretHash === secret.secretHash;
}

const made = (manager: EntityManager, { name, customerId, gateway, keyId }: Asked, change: Change) =>
  insertDevice(
    manager,
    {
      name,
      kind: gateway ? 'gateway' : 'direct',
      customerId,
      ownerId: null,
      state: 'provisioned',
      identityKey: selfProvisionedIdentity({ name, customerId }),
      provisioningKey: keyId,
    },
    change,
  );

async function give(manager: EntityManager, device: DeviceEntity, secret: KeptSecret, change: Change): Promise<void> {
  const row = await insertCredential(manager, device.id, secret, change.now);
  await audit(manager, change.now, credentialRecord(change.actor, 'credential.created', device, row));
}

async function letIn(
  manager: EntityManager,
  device: DeviceEntity,
  keyId: string,
  change: Change,
): Promise<DeviceEntity> {
  if (device.provisioningKey !== keyId) {
    await manager.update(DeviceEntity, { id: device.id }, { provisioningKey: keyId });
  }
  return enterState(manager, device, 'provisioned', 'device.registered', change);
}
