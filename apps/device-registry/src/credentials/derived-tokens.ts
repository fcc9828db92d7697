import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { CLOCK, uuid7, type Clock } from '#platform';
import { inTransaction } from '#sql';
import { audit } from '../audit/audit.ts';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { derivedToken, tokenHash } from './access-token.ts';
import { credentialRecord, insertCredential } from './credential-rows.ts';
import { CredentialEntity } from './credential.entity.ts';

/** Injection symbol of the key that tokens are derived from. */
export const DEVICE_TOKEN_KEY = Symbol('DEVICE_TOKEN_KEY');

/** Tokens of devices that provision themselves: the same one however often it is asked for, until it is revoked. */
@Injectable()
export class DerivedTokens {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(DEVICE_TOKEN_KEY) private readonly key: Buffer,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** The present token of a device; the first time, it is made valid. Throws `CREDENTIAL_LIMIT_REACHED`, `NOT_FOUND`. */
  async of({ id, tokenGeneration }: DeviceEntity): Promise<string> {
    const token = derivedToken(this.key, id, tokenGeneration);
    const held = await generationOf(this.dataSource.manager, id, tokenGeneration);
    if (held?.secretHash === tokenHash(token)) return token;
    return inTransaction(this.dataSource, (manager) => this.make(manager, id));
  }

  private async make(manager: EntityManager, id: string): Promise<string> {
    const device = await lockedDevice(manager, id);
    if (!device) throw new CodedError('NOT_FOUND', 'The device was deleted just now: ask again.');
    const token = derivedToken(this.key, id, device.tokenGeneration);
    const held = await generationOf(manager, id, device.tokenGeneration);
    if (held?.secretHash === tokenHash(token)) return token;
    if (held) return this.makeNext(manager, device);
    return this.keep(manager, device, device.tokenGeneration);
  }

  /** The secret key has changed since this generation: its token goes on, but only the next one can still be told. */
  private async makeNext(manager: EntityManager, device: DeviceEntity): Promise<string> {
    const generation = device.tokenGeneration + 1;
    await manager.update(DeviceEntity, { id: device.id }, { tokenGeneration: generation });
    return this.keep(manager, device, generation);
  }

  private async keep(manager: EntityManager, device: DeviceEntity, generation: number): Promise<string> {
    const now = this.now();
    const token = derivedToken(this.key, device.id, generation);
    const secretHash = tokenHash(token);
    const row = await insertCredential(
      manager,
      device.id,
      { id: uuid7(now), kind: 'access-token', secretHash, generation },
      now,
    );
    await audit(manager, now, credentialRecord({ kind: 'device', id: device.id }, 'credential.created', device, row));
    return token;
  }
}

const generationOf = (manager: EntityManager, deviceId: string, generation: number): Promise<CredentialEntity | null> =>
  manager.findOneBy(CredentialEntity, { deviceId, generation });
