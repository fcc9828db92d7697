import type { Certificate } from '#access';
import { uuid7 } from '#platform';
import { randomToken, tokenHash } from './access-token.ts';
import type { CredentialEntity } from './credential.entity.ts';
import type { IssuedCredential } from './credential.schemas.ts';
import type { DeviceJwts } from './device-jwts.ts';
import { passwordHash } from './password.ts';
import { mqttKey } from './mqtt-key.ts';
import { canonicalUserName } from './user-name.ts';

/** What is kept of a secret. */
export type KeptSecret = Pick<CredentialEntity, 'id' | 'kind' | 'secretHash'> &
  Partial<Pick<CredentialEntity, 'userName' | 'clientId' | 'passwordHash' | 'pending' | 'generation' | 'expiresAt'>>;

/** What is kept of a new secret, and what is shown of it this once. */
export interface NewSecret {
  kept: KeptSecret;
  shown: IssuedCredential;
}

export function newAccessToken(now: number): NewSecret {
  const [id, kind, accessToken] = [uuid7(now), 'access-token', randomToken()] as const;
  return { kept: { id, kind, secretHash: tokenHash(accessToken) }, shown: { id, kind, accessToken } };
}

/** A token that a device asks for itself. */
export const ownAccessToken = (token: string, now: number): KeptSecret => ({
  id: uuid7(now),
  kind: 'access-token',
  secretHash: tokenHash(token),
});

export function newPassword(name: string, now: number): NewSecret & { password: string } {
  const [id, kind, password] = [uuid7(now), 'password', randomToken()] as const;
  const userName = canonicalUserName(name);
  const secretHash = passwordHash(userName, password);
  return { kept: { id, kind, secretHash, userName }, shown: { id, kind, userName, password }, password };
}

/** Its token is the first of the credential. */
export function newDeviceJwt(jwts: DeviceJwts, deviceId: string, now: number): NewSecret {
  const [id, kind] = [uuid7(now), 'device-jwt'] as const;
  return { kept: { id, kind, secretHash: tokenHash(id) }, shown: { id, kind, ...jwts.sign(deviceId, id, now) } };
}

/** Credentials of MQTT, null where any is let in; `shownPassword` is one of our making. */
export interface MqttSecret {
  clientId: string | null;
  userName: string | null;
  passwordHash: string | null;
  shownPassword?: string;
}

export function newMqttBasic({ shownPassword, ...set }: MqttSecret, now: number): NewSecret {
  const [id, kind] = [uuid7(now), 'mqtt-basic'] as const;
  const { clientId, userName } = set;
  const secretHash = mqttKey(clientId ?? '', userName ?? '');
  const password = shownPassword === undefined ? {} : { password: shownPassword };
  return { kept: { id, kind, secretHash, ...set }, shown: { id, kind, clientId, userName, ...password } };
}

/** It ends when the certificate does. */
export function newCertificate({ fingerprint, expiresAt }: Certificate, now: number): NewSecret {
  const [id, kind] = [uuid7(now), 'certificate'] as const;
  return {
    kept: { id, kind, secretHash: fingerprint, expiresAt: new Date(expiresAt) },
    shown: { id, kind, fingerprint, expiresAt },
  };
}
