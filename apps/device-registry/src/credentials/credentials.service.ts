import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type DevicePrincipal, type UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { inTransaction } from '#sql';
import { CLOCK, type Clock } from '../clock.ts';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { requireAllowed } from '../devices/devices.service.ts';
import { randomToken, tokenHash } from './access-token.ts';
import { endGeneration, insertCredential } from './credential-rows.ts';
import { CredentialEntity } from './credential.entity.ts';
import { credentialView, type CredentialList, type IssuedCredential, type Rotation } from './credential.schemas.ts';

/** The secrets of devices: issued, rotated and revoked by those who manage the device, verified for the other services. */
@Injectable()
export class Credentials {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Those that are valid now, oldest first. Throws `NOT_FOUND` for a device that the caller may not manage. */
  async list(caller: UserPrincipal, deviceId: string): Promise<CredentialList> {
    const { manager } = this.dataSource;
    requireAllowed(caller, 'manage', deviceId, await manager.findOneBy(DeviceEntity, { id: deviceId }));
    const rows = await manager.find(CredentialEntity, { where: { deviceId }, order: { id: 'ASC' } });
    return { items: rows.filter((row) => !this.hasEnded(row)).map(credentialView) };
  }

  /** Throws `NOT_FOUND`, `CREDENTIAL_LIMIT_REACHED`. */
  async issue(caller: UserPrincipal, deviceId: string): Promise<IssuedCredential> {
    const token = randomToken();
    const row = await inTransaction(this.dataSource, async (manager) => {
      await requireManaged(manager, caller, deviceId);
      return insertCredential(manager, deviceId, { text: token, generation: null }, this.now());
    });
    return { id: row.id, kind: row.kind, accessToken: token };
  }

  /** A new token in the place of one, which ends now or after the overlap. Throws `NOT_FOUND`, `CREDENTIAL_LIMIT_REACHED`. */
  async rotate(
    caller: UserPrincipal,
    deviceId: string,
    id: string,
    { overlapSeconds }: Rotation,
  ): Promise<IssuedCredential> {
    const token = randomToken();
    const row = await inTransaction(this.dataSource, async (manager) => {
      const old = await this.managed(manager, caller, deviceId, id);
      await this.end(manager, old, overlapSeconds * 1_000);
      return insertCredential(manager, deviceId, { text: token, generation: null }, this.now());
    });
    if (overlapSeconds === 0) this.events.publish('registry.credentials.revoked', { deviceId, credentialId: id });
    return { id: row.id, kind: row.kind, accessToken: token };
  }

  /** Ends one at once. Throws `NOT_FOUND`. */
  async revoke(caller: UserPrincipal, deviceId: string, id: string): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      await this.end(manager, await this.managed(manager, caller, deviceId, id), 0);
    });
    this.events.publish('registry.credentials.revoked', { deviceId, credentialId: id });
  }

  /** Whose token is it? Throws `BAD_CREDENTIALS`, `TOKEN_EXPIRED`. */
  async verify(token: string): Promise<DevicePrincipal> {
    const { manager } = this.dataSource;
    const row = await manager.findOneBy(CredentialEntity, { secretHash: tokenHash(token) });
    const device = row && (await manager.findOneBy(DeviceEntity, { id: row.deviceId }));
    if (!row || !device) {
      throw new CodedError(
        'BAD_CREDENTIALS',
        'The access token is not valid (any more): get a new one from whoever manages the device.',
      );
    }
    if (this.hasEnded(row)) {
      throw new CodedError(
        'TOKEN_EXPIRED',
        'The access token has ended: get its successor from whoever manages the device.',
      );
    }
    return {
      kind: 'device',
      credentialId: row.id,
      device: deviceRef(device),
      expiresAt: row.expiresAt?.getTime() ?? null,
    };
  }

  private async managed(
    manager: EntityManager,
    caller: UserPrincipal,
    deviceId: string,
    id: string,
  ): Promise<CredentialEntity> {
    await requireManaged(manager, caller, deviceId);
    const row = await manager.findOneBy(CredentialEntity, { id, deviceId });
    if (!row || this.hasEnded(row)) throw new CodedError('NOT_FOUND', `The device has no credential ${id} (any more).`);
    return row;
  }

  private async end(manager: EntityManager, row: CredentialEntity, afterMs: number): Promise<void> {
    await endGeneration(manager, row);
    if (afterMs === 0) await manager.delete(CredentialEntity, { id: row.id });
    else {
      const endsAt = Math.min(this.now() + afterMs, row.expiresAt?.getTime() ?? Infinity);
      await manager.update(CredentialEntity, { id: row.id }, { expiresAt: new Date(endsAt), generation: null });
    }
  }

  private hasEnded({ expiresAt }: CredentialEntity): boolean {
    return expiresAt !== null && expiresAt.getTime() <= this.now();
  }
}

async function requireManaged(manager: EntityManager, caller: UserPrincipal, deviceId: string): Promise<void> {
  requireAllowed(caller, 'manage', deviceId, await lockedDevice(manager, deviceId));
}
