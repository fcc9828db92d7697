import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { readCertificate, type Certificate } from '#access';
import { CodedError, type UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, invalidInput, type Clock } from '#platform';
import { inTransaction } from '#sql';
import { actorOf, audit } from '../audit/audit.ts';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { requireAllowed } from '../devices/devices.service.ts';
import { randomToken } from './access-token.ts';
import { ChosenPasswords } from './chosen-passwords.ts';
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
import {
  newAccessToken,
  newCertificate,
  newDeviceJwt,
  newMqttBasic,
  newPassword,
  type NewSecret,
} from './new-secrets.ts';
import { userNameOf } from './user-name.ts';

/** The secrets of devices: issued, rotated and revoked by those who manage the device. */
@Injectable()
export class Credentials {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(DeviceJwts) private readonly jwts: DeviceJwts,
    @Inject(ChosenPasswords) private readonly passwords: ChosenPasswords,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Those that have not ended, oldest first. Throws `NOT_FOUND` for a device that the caller may not manage. */
  async list(caller: UserPrincipal, deviceId: string): Promise<CredentialList> {
    await this.requireManager(caller, deviceId);
    const rows = await this.dataSource.manager.find(CredentialEntity, { where: { deviceId }, order: { id: 'ASC' } });
    return { items: rows.filter((row) => !hasEnded(row, this.now())).map(credentialView) };
  }

  /** Throws `NOT_FOUND`, `CREDENTIAL_LIMIT_REACHED`, `CONFLICT` for one that is in use, `INVALID_INPUT` for a certificate that has ended. */
  async issue(caller: UserPrincipal, deviceId: string, wanted: NewCredential): Promise<IssuedCredential> {
    const now = this.now();
    await this.requireManager(caller, deviceId);
    const make = await this.makerOf(wanted);
    return inTransaction(this.dataSource, async (manager) => {
      const device = await lockedManaged(manager, caller, deviceId);
      const { kept, shown } = await make(manager, device, now);
      await insertCredential(manager, deviceId, kept, now);
      await audit(manager, now, credentialRecord(actorOf(caller), 'credential.created', device, kept));
      return shown;
    });
  }

  /**
   * A new secret of the same kind in the place of one, which ends now or after the overlap. Throws `NOT_FOUND`,
   * `CREDENTIAL_LIMIT_REACHED`, `CONFLICT` for a certificate, `INVALID_INPUT` for an overlap of what only one can have.
   */
  async rotate(
    caller: UserPrincipal,
    deviceId: string,
    id: string,
    { overlapSeconds }: Rotation,
  ): Promise<IssuedCredential> {
    const now = this.now();
    await this.requireManager(caller, deviceId);
    const make = await this.successorOf(deviceId, id, overlapSeconds);
    const issued = await inTransaction(this.dataSource, async (manager) => {
      const device = await lockedManaged(manager, caller, deviceId);
      const old = await credentialOf(manager, device, id, now);
      await end(manager, old, now + overlapSeconds * 1_000, now);
      const { kept, shown } = await make(manager, device, now);
      await insertCredential(manager, deviceId, kept, now);
      const record = credentialRecord(actorOf(caller), 'credential.rotated', device, kept);
      await audit(manager, now, { ...record, changes: { ...record.changes, id: { from: id, to: kept.id } } });
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

  /** Throws `NOT_FOUND`. */
  private async requireManager(caller: UserPrincipal, id: string): Promise<void> {
    requireAllowed(caller, 'manage', id, await this.dataSource.manager.findOneBy(DeviceEntity, { id }));
  }

  /** What takes time is done before: within a transaction, nobody else waits for it. */
  private async makerOf({ kind, userName, clientId, password, certificate }: NewCredential): Promise<Maker> {
    switch (kind) {
      case 'access-token':
        return (_manager, _device, now) => newAccessToken(now);
      case 'password':
        return async (manager, device, now) => newPassword(userName ?? (await defaultUserName(manager, device)), now);
      case 'device-jwt':
        return (_manager, device, now) => newDeviceJwt(this.jwts, device.id, now);
      case 'mqtt-basic': {
        const passwordHash = password === undefined ? null : await this.passwords.hash(password);
        const secret = { clientId: clientId ?? null, userName: userName ?? null, passwordHash };
        return (_manager, _device, now) => newMqttBasic(secret, now);
      }
      case 'certificate': {
        const read = livingCertificate(certificate, this.now());
        return (_manager, _device, now) => newCertificate(read, now);
      }
    }
  }

  /** A password that somebody chose is followed by one of our making. */
  private async successorOf(deviceId: string, id: string, overlapSeconds: number): Promise<Maker> {
    const old = await this.dataSource.manager.findOneBy(CredentialEntity, { id, deviceId });
    if (old?.kind === 'certificate') throw noSuccessor();
    if (old?.kind !== 'mqtt-basic') {
      return this.makerOf({ kind: old?.kind ?? 'access-token', userName: old?.userName ?? undefined });
    }
    if (overlapSeconds > 0)
      throw invalidInput('/overlapSeconds', 'must be 0: one client id and user name has one password');
    const shownPassword = randomToken();
    const passwordHash = await this.passwords.hash(shownPassword);
    const secret = { clientId: old.clientId, userName: old.userName, passwordHash, shownPassword };
    return (_manager, _device, now) => newMqttBasic(secret, now);
  }
}

/** Makes the secret of a device that is held. */
type Maker = (manager: EntityManager, device: DeviceEntity, now: number) => NewSecret | Promise<NewSecret>;

function livingCertificate(text: string | undefined, now: number): Certificate {
  const read = readCertificate(text ?? '');
  if (read && read.expiresAt > now) return read;
  throw invalidInput('/certificate', 'is a certificate whose time is over');
}

const noSuccessor = (): CodedError =>
  new CodedError(
    'CONFLICT',
    'A certificate is not ours to make: add the next one with POST /api/devices/:id/credentials, then revoke this one.',
  );

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
