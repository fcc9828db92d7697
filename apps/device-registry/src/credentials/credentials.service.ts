import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { inTransaction } from '#sql';
import { actorOf, audit } from '../audit/audit.ts';
import { CLOCK, type Clock } from '../clock.ts';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { requireAllowed } from '../devices/devices.service.ts';
import { credentialRecord, endGeneration, hasEnded, insertCredential } from './credential-rows.ts';
import { CredentialEntity } from './credential.entity.ts';
import {
  credentialView,
  type CredentialList,
  type IssuedCredential,
  type NewCredential,
  type Rotation,
} from './credential.schemas.ts';
import { DeviceJwts } from './device-jwts.ts';
import { newAccessToken, newDeviceJwt, newPassword, type NewSecret } from './new-secrets.ts';
import { userNameOf } from './user-name.ts';

/** The secrets of devices: issued, rotated and revoked by those who manage the device. */
@Injectable()
export class Credentials {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(DeviceJwts) private readonly jwts: DeviceJwts,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Those that have not ended, oldest first. Throws `NOT_FOUND` for a device that the caller may not manage. */
  async list(caller: UserPrincipal, deviceId: string): Promise<CredentialList> {
    const { manager } = this.dataSource;
    requireAllowed(caller, 'manage', deviceId, await manager.findOneBy(DeviceEntity, { id: deviceId }));
    const rows = await manager.find(CredentialEntity, { where: { deviceId }, order: { id: 'ASC' } });
    return { items: rows.filter((row) => !hasEnded(row, this.now())).map(credentialView) };
  }

  /** Throws `NOT_FOUND`, `CREDENTIAL_LIMIT_REACHED`. */
  async issue(caller: UserPrincipal, deviceId: string, { kind, userName }: NewCredential): Promise<IssuedCredential> {
    const now = this.now();
    return inTransaction(this.dataSource, async (manager) => {
      const device = await lockedManaged(manager, caller, deviceId);
      const name = userName ?? (kind === 'password' ? await defaultUserName(manager, device) : device.id);
      const { kept, shown } = this.newSecret(kind, device.id, name, now);
      await insertCredential(manager, deviceId, kept, now);
      await audit(manager, now, credentialRecord(actorOf(caller), 'credential.created', device, shown));
      return shown;
    });
  }

  /**
   * A new secret of the same kind in the place of one, which ends now or after the overlap. Throws `NOT_FOUND`,
   * `CREDENTIAL_LIMIT_REACHED`.
   */
  async rotate(
    caller: UserPrincipal,
    deviceId: string,
    id: string,
    { overlapSeconds }: Rotation,
  ): Promise<IssuedCredential> {
    const now = this.now();
    const issued = await inTransaction(this.dataSource, async (manager) => {
      const device = await lockedManaged(manager, caller, deviceId);
      const old = await credentialOf(manager, device, id, now);
      await end(manager, old, now + overlapSeconds * 1_000, now);
      const { kept, shown } = this.newSecret(old.kind, device.id, old.userName ?? device.id, now);
      await insertCredential(manager, deviceId, kept, now);
      const record = credentialRecord(actorOf(caller), 'credential.rotated', device, shown);
      await audit(manager, now, { ...record, changes: { ...record.changes, id: { from: id, to: shown.id } } });
      return shown;
    });
    if (overlapSeconds === 0) this.events.publish('registry.credentials.revoked', { deviceId, credentialId: id });
    return issued;
  }

  /** Ends one at once. Throws `NOT_FOUND`. */
  async revoke(caller: UserPrincipal, deviceId: string, id: string): Promise<void> {
    const now = this.now();
    await inTransaction(this.dataSource, async (manager) => {
      const device = await lockedManaged(manager, caller, deviceId);
      const row = await credentialOf(manager, device, id, now);
      await end(manager, row, now, now);
      await audit(manager, now, credentialRecord(actorOf(caller), 'credential.revoked', device, row));
    });
    this.events.publish('registry.credentials.revoked', { deviceId, credentialId: id });
  }

  private newSecret(kind: CredentialEntity['kind'], deviceId: string, userName: string, now: number): NewSecret {
    switch (kind) {
      case 'access-token':
        return newAccessToken(now);
      case 'password':
        return newPassword(userName, now);
      case 'device-jwt':
        return newDeviceJwt(this.jwts, deviceId, now);
    }
  }
}

const lockedManaged = async (manager: EntityManager, caller: UserPrincipal, deviceId: string): Promise<DeviceEntity> =>
  requireAllowed(caller, 'manage', deviceId, await lockedDevice(manager, deviceId));

async function credentialOf(
  manager: EntityManager,
  device: DeviceEntity,
  id: string,
  now: number,
): Promise<CredentialEntity> {
  const row = await manager.findOneBy(CredentialEntity, { id, deviceId: device.id });
  if (row && !hasEnded(row, now)) return row;
  throw new CodedError('NOT_FOUND', `The device has no credential ${id} (any more).`);
}

async function end(manager: EntityManager, row: CredentialEntity, at: number, now: number): Promise<void> {
  await endGeneration(manager, row);
  if (at <= now) await manager.delete(CredentialEntity, { id: row.id });
  else {
    const expiresAt = new Date(Math.min(at, row.expiresAt?.getTime() ?? Infinity));
    await manager.update(CredentialEntity, { id: row.id }, { expiresAt, generation: null });
  }
}

async function defaultUserName(manager: EntityManager, { id, customerId, macAddress }: DeviceEntity): Promise<string> {
  if (customerId === null || macAddress === null) return id;
  const customer = await manager.findOneBy(CustomerEntity, { id: customerId });
  return customer ? userNameOf(customer.number, macAddress) : id;
}
