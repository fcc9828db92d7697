import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, IsNull, type EntityManager } from 'typeorm';
import { CodedError, type DeviceRef } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, isUniqueViolation } from '#sql';
import { audit } from '../audit/audit.ts';
import { credentialRecord, insertCredential } from '../credentials/credential-rows.ts';
import { CredentialEntity } from '../credentials/credential.entity.ts';
import { DeviceJwts } from '../credentials/device-jwts.ts';
import { newDeviceJwt } from '../credentials/new-secrets.ts';
import { REGISTRY } from '../data-source-name.ts';
import { insertDevice, lockedDevice, updateDevice, type Change } from '../devices/device-rows.ts';
import { enterState } from '../devices/device-states.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { checkChain } from '../devices/masters.ts';

/** Fifty that ask for one device at once may meet often. */
const ATTEMPTS = 50;

/** A device that comes with an id of its own (a UUID in lower case), and proves with a shared secret of which kind it is. */
export interface UuidRequest {
  uuid: string;
  kind: 'master' | 'agent';
  masterUuid?: string | undefined;
  onlyKnown: boolean;
}

/** What a request did: `change` is what to tell others, if anything. */
interface Granted {
  device: DeviceEntity;
  change: 'created' | 'updated' | null;
  credentialId: string;
}

/** Devices by the id that they bring: their id here is that one. */
@Injectable()
export class UuidDevices {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(DeviceJwts) private readonly jwts: DeviceJwts,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * A JSON web token for the device, which is made if it is not there, unless only those that are may ask. However often it is asked
   * for, the tokens stand for one credential. Throws `NOT_REGISTERED`, `DEVICE_DISABLED`, and `FORBIDDEN` for a device of another kind
   * or an agent of another master.
   */
  async request(request: UuidRequest): Promise<{ device: DeviceRef; token: string; expiresAt: number }> {
    const { device, change, credentialId } = await this.inTransaction((manager) => this.grant(manager, request));
    if (change) this.events.publish('registry.device.changed', { change, device: deviceRef(device) });
    return { device: deviceRef(device), ...this.jwts.sign(device.id, credentialId, this.now()) };
  }

  private async grant(manager: EntityManager, request: UuidRequest): Promise<Granted> {
    const now = this.now();
    const change = { actor: { kind: 'device', id: request.uuid }, now } as const;
    const found = await lockedDevice(manager, request.uuid);
    if (!found && request.onlyKnown) throw notRegistered(request.uuid);
    if (found) requireKind(found, request.kind);
    const device = found ? await provisioned(manager, found, request, change) : await make(manager, request, change);
    const credentialId = await this.credentialOf(manager, device, change);
    return { device, change: found === null ? 'created' : device === found ? null : 'updated', credentialId };
  }

  /** The one credential that the device's tokens stand for. Throws `CREDENTIAL_LIMIT_REACHED`. */
  private async credentialOf(manager: EntityManager, device: DeviceEntity, { actor, now }: Change): Promise<string> {
    const held = await manager.findOne(CredentialEntity, {
      where: { deviceId: device.id, kind: 'device-jwt', expiresAt: IsNull() },
      order: { id: 'ASC' },
    });
    if (held) return held.id;
    const row = await insertCredential(manager, device.id, newDeviceJwt(this.jwts, device.id, now).kept, now);
    await audit(manager, now, credentialRecord(actor, 'credential.created', device, row));
    return row.id;
  }

  /** Again if another request made the device meanwhile: then it is there. */
  private async inTransaction<T>(work: (manager: EntityManager) => Promise<T>, attempts = ATTEMPTS): Promise<T> {
    try {
      return await inTransaction(this.dataSource, work);
    } catch (error) {
      if (attempts <= 1 || !isUniqueViolation(error)) throw error;
      return this.inTransaction(work, attempts - 1);
    }
  }
}

async function make(
  manager: EntityManager,
  { uuid, kind, masterUuid }: UuidRequest,
  change: Change,
): Promise<DeviceEntity> {
  const masterId = masterUuid === undefined ? null : await masterOf(manager, masterUuid, uuid, null);
  const device = {
    id: uuid,
    name: uuid,
    kind,
    customerId: null,
    ownerId: null,
    masterId,
    state: 'provisioned',
  } as const;
  return insertDevice(manager, device, change);
}

/** A device that was there already has been given what it needs to connect, and an agent without a master gets the one it names. */
async function provisioned(
  manager: EntityManager,
  device: DeviceEntity,
  { masterUuid }: UuidRequest,
  change: Change,
): Promise<DeviceEntity> {
  const assigned = masterUuid === undefined ? device : await assign(manager, device, masterUuid, change);
  return assigned.state === 'created'
    ? enterState(manager, assigned, 'provisioned', 'device.registered', change)
    : assigned;
}

async function assign(
  manager: EntityManager,
  device: DeviceEntity,
  masterUuid: string,
  change: Change,
): Promise<DeviceEntity> {
  if (device.masterId === masterUuid) return device;
  if (device.masterId !== null) {
    throw new CodedError(
      'FORBIDDEN',
      'The agent has another master: an administrator can give it this one with PATCH /api/devices/:id {"master"}.',
    );
  }
  const masterId = await masterOf(manager, masterUuid, device.id, device.customerId);
  return updateDevice(manager, device, { ...device, masterId }, change);
}

/** The master of that id; an agent that belongs to a customer has a master of the same one. */
async function masterOf(
  manager: EntityManager,
  uuid: string,
  agentId: string,
  customerId: string | null,
): Promise<string> {
  const master = await manager.findOneBy(DeviceEntity, { id: uuid });
  if (master?.kind !== 'master') {
    throw new CodedError('NOT_REGISTERED', `There is no master ${uuid}: it has to register before its agents do.`);
  }
  if (customerId !== null && master.customerId !== customerId) {
    throw new CodedError('FORBIDDEN', `The master ${uuid} is not one of the agent's customer.`);
  }
  await checkChain(manager, master, agentId);
  return master.id;
}

/** A shared secret is for devices of its kind: it never takes over another one. */
function requireKind(device: DeviceEntity, kind: UuidRequest['kind']): void {
  if (device.kind !== kind) throw new CodedError('FORBIDDEN', `The device of this uuid is no ${kind}.`);
  if (!device.enabled) {
    throw new CodedError('DEVICE_DISABLED', 'The device is switched off: whoever manages it can switch it on again.');
  }
}

const notRegistered = (uuid: string): CodedError =>
  new CodedError('NOT_REGISTERED', `There is no device ${uuid}: have it made with POST /api/devices first.`);
