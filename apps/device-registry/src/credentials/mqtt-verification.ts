import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In } from 'typeorm';
import { isDevicesToken } from '#access';
import { CodedError, type RpcRequest } from '#contracts';
import { REGISTRY } from '../data-source-name.ts';
import { tokenHash } from './access-token.ts';
import { ChosenPasswords } from './chosen-passwords.ts';
import { CredentialEntity, type CredentialKind } from './credential.entity.ts';
import { mqttKey } from './mqtt-key.ts';
import { passwordHash } from './password.ts';

/** What an MQTT client brings in CONNECT; nothing is the same as an empty text. */
export type MqttCredentials = Extract<RpcRequest<'registry.credentials.verify'>, { kind: 'mqtt' }>;

/** Finds whose an MQTT client's credentials are. */
@Injectable()
export class MqttVerification {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(ChosenPasswords) private readonly passwords: ChosenPasswords,
  ) {}

  /**
   * The credential, or the JSON web token that is still to be verified. In this order: what was set for this client id and this user name
   * (or none), whose password decides; an access token as the user name; a user name and a password of ours; a JSON web token as the user
   * name or the password; what was set for this user name with any client id. Throws `BAD_CREDENTIALS`, and `UNAVAILABLE` while too many
   * passwords wait to be checked.
   */
  async find({ clientId, userName = '', password = '' }: MqttCredentials): Promise<CredentialEntity | { jwt: string }> {
    const key = { both: mqttKey(clientId, userName), user: mqttKey('', userName), token: tokenHash(userName) };
    const secret = passwordHash(userName, password);
    const rows = await this.rowsOf([key.both, key.user, key.token, secret]);
    const held = (kind: CredentialKind, hash: string) =>
      rows.find((row) => row.kind === kind && row.secretHash === hash);

    const ofBoth = held('mqtt-basic', key.both);
    if (ofBoth) return this.withPassword(ofBoth, password);
    const ofSecret = held('access-token', key.token) ?? held('password', secret);
    if (ofSecret) return ofSecret;
    const jwt = [userName, password].find(isDevicesToken);
    if (jwt !== undefined) return { jwt };
    const ofUser = held('mqtt-basic', key.user);
    if (ofUser) return this.withPassword(ofUser, password);
    throw userName === '' ? nobodysClientId() : nobodysUserName();
  }

  private rowsOf(hashes: string[]): Promise<CredentialEntity[]> {
    return this.dataSource.manager.findBy(CredentialEntity, { secretHash: In(hashes) });
  }

  private async withPassword(row: CredentialEntity, password: string): Promise<CredentialEntity> {
    if (await this.passwords.matches(row, password)) return row;
    throw new CodedError(
      'BAD_CREDENTIALS',
      'The password is not the one that was set for this user name: whoever manages the device can set another one (POST /api/devices/:id/credentials).',
    );
  }
}

const nobodysUserName = (): CodedError =>
  new CodedError(
    'BAD_CREDENTIALS',
    'The user name is no access token that is valid (any more), nor is there a device with it and this password: get new credentials from whoever manages the device.',
  );

const nobodysClientId = (): CodedError =>
  new CodedError(
    'BAD_CREDENTIALS',
    'No device is let in by its client id alone: bring an access token as the user name, or a user name with its password.',
  );
