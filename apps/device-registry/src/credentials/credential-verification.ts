import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type FindOptionsWhere } from 'typeorm';
import { CodedError, type DevicePrincipal, type RpcRequest } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { REGISTRY } from '../data-source-name.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { tokenHash } from './access-token.ts';
import { hasEnded } from './credential-rows.ts';
import { CredentialEntity } from './credential.entity.ts';
import { DeviceJwts, type DeviceToken } from './device-jwts.ts';
import { MqttVerification, type MqttCredentials } from './mqtt-verification.ts';
import { passwordHash } from './password.ts';

/** Tells the other services whose secrets they were shown. */
@Injectable()
export class CredentialVerification {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(DeviceJwts) private readonly jwts: DeviceJwts,
    @Inject(MqttVerification) private readonly mqtt: MqttVerification,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * Whose are these? Throws `BAD_CREDENTIALS`, `TOKEN_EXPIRED`, `DEVICE_DISABLED`, `NOT_REGISTERED` for a JSON web token whose device is
   * gone, and `UNAVAILABLE` while too many passwords wait to be checked.
   */
  async verify(presented: RpcRequest<'registry.credentials.verify'>): Promise<DevicePrincipal> {
    switch (presented.kind) {
      case 'token':
        return this.ofToken(presented.token);
      case 'password':
        return this.ofPassword(presented.userName, presented.password);
      case 'mqtt':
        return this.ofMqtt(presented);
      case 'certificate':
        return this.ofCertificate(presented.fingerprint);
    }
  }

  private ofToken(token: string): Promise<DevicePrincipal> {
    return token.includes('.') ? this.ofJwt(token) : this.ofAccessToken(token);
  }

  private async ofMqtt(presented: MqttCredentials): Promise<DevicePrincipal> {
    const found = await this.mqtt.find(presented);
    return 'jwt' in found ? this.ofJwt(found.jwt) : this.principalOf(found);
  }

  private async ofCertificate(fingerprint: string): Promise<DevicePrincipal> {
    const row = await this.rowBy({ kind: 'certificate', secretHash: fingerprint });
    if (row) return this.principalOf(row);
    throw new CodedError(
      'BAD_CREDENTIALS',
      'No device has that certificate (any more): whoever manages the device can add it (POST /api/devices/:id/credentials).',
    );
  }

  private async ofAccessToken(token: string): Promise<DevicePrincipal> {
    const row = await this.rowBy({ kind: 'access-token', secretHash: tokenHash(token) });
    if (row) return this.principalOf(row);
    throw new CodedError(
      'BAD_CREDENTIALS',
      'The access token is not valid (any more): get a new one from whoever manages the device.',
    );
  }

  private async ofPassword(userName: string, password: string): Promise<DevicePrincipal> {
    const row = await this.rowBy({ kind: 'password', secretHash: passwordHash(userName, password) });
    if (!row) {
      throw new CodedError(
        'BAD_CREDENTIALS',
        'The user name or the password is not valid (any more): get new ones from whoever manages the device.',
      );
    }
    return this.principalOf(row);
  }

  private async ofJwt(token: string): Promise<DevicePrincipal> {
    const claims = this.jwts.verify(token, this.now());
    const { credentialId: id, deviceId } = claims;
    const row = await this.rowBy({ kind: 'device-jwt', id, deviceId });
    if (!row) throw await this.refusalOf(claims);
    const principal = await this.principalOf(row);
    return { ...principal, expiresAt: Math.min(claims.expiresAt, principal.expiresAt ?? Infinity) };
  }

  private async refusalOf({ deviceId: id }: DeviceToken): Promise<CodedError> {
    return (await this.dataSource.manager.existsBy(DeviceEntity, { id }))
      ? new CodedError('BAD_CREDENTIALS', 'The token was revoked: ask for a new one.')
      : new CodedError('NOT_REGISTERED', 'The device of this token is not registered any more.');
  }

  private rowBy(where: FindOptionsWhere<CredentialEntity>): Promise<CredentialEntity | null> {
    return this.dataSource.manager.findOneBy(CredentialEntity, where);
  }

  private async principalOf(row: CredentialEntity): Promise<DevicePrincipal> {
    if (row.pending) throw notActiveYet();
    const device = await this.dataSource.manager.findOneBy(DeviceEntity, { id: row.deviceId });
    if (!device) throw new CodedError('BAD_CREDENTIALS', 'The device was deleted just now.');
    if (hasEnded(row, this.now())) {
      throw new CodedError(
        'TOKEN_EXPIRED',
        'The credential has ended: get its successor from whoever manages the device.',
      );
    }
    if (!device.enabled) {
      throw new CodedError('DEVICE_DISABLED', 'The device is switched off: whoever manages it can switch it on again.');
    }
    const expiresAt = row.expiresAt?.getTime() ?? null;
    return { kind: 'device', credentialId: row.id, device: deviceRef(device), expiresAt };
  }
}

const notActiveYet = (): CodedError =>
  new CodedError('BAD_CREDENTIALS', 'The password is not active yet: POST /provisioning/activate makes it so.');
