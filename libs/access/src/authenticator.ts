import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type DevicePrincipal, type UserPrincipal } from '#contracts';
import { principalOf, type Claims } from './claims.ts';
import { DeviceCredentials } from './device-credentials.ts';
import { areWithinBounds, type PresentedCredentials } from './presented-credentials.ts';
import { isDevicesToken } from './token-issuer.ts';
import { TokenVerifier } from './token-verifier.ts';

/** Somebody who is calling, and until when that holds (ms since the epoch; null: until revoked). */
export type Authenticated =
  | { principal: UserPrincipal; claims: Claims; expiresAt: number }
  | { principal: DevicePrincipal; expiresAt: number | null };

/** A JSON web token is a person's unless it says that it is a device's; a device's access token has no dot. */
const isPersons = (token: string): boolean => token.includes('.') && !isDevicesToken(token);

/**
 * Tells who is calling, the same way at every door: by a person's token, a device's token (JSON web token or access token), a
 * device's user name and password, what an MQTT client brings, or a client certificate that whoever holds the connection has verified.
 */
@Injectable()
export class Authenticator {
  constructor(
    @Inject(TokenVerifier) private readonly people: TokenVerifier,
    @Inject(DeviceCredentials) private readonly devices: DeviceCredentials,
  ) {}

  /** Throws `UNAUTHENTICATED`, `BAD_CREDENTIALS`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, `DEVICE_DISABLED`, or `UNAVAILABLE`. */
  async authenticate(presented: PresentedCredentials | undefined): Promise<Authenticated> {
    if (presented === undefined || isEmpty(presented)) {
      throw presented?.kind === 'mqtt' ? nothingOverMqtt() : nothingPresented();
    }
    if (!areWithinBounds(presented)) {
      throw new CodedError('UNAUTHENTICATED', 'The token, user name or password is too long to be one of ours.');
    }
    if (presented.kind === 'token' && isPersons(presented.token)) {
      const claims = await this.people.verify(presented.token);
      return { principal: principalOf(claims), claims, expiresAt: claims.exp * 1000 };
    }
    const principal = await this.deviceOf(presented);
    return { principal, expiresAt: principal.expiresAt };
  }

  /** To whoever is not let in, a device that is gone is one like any other that never was. */
  private async deviceOf(presented: PresentedCredentials): Promise<DevicePrincipal> {
    try {
      return await this.devices.verify(presented);
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'NOT_REGISTERED') throw error;
      throw new CodedError('BAD_CREDENTIALS', error.message, { cause: error });
    }
  }
}

function isEmpty(presented: PresentedCredentials): boolean {
  switch (presented.kind) {
    case 'token':
      return presented.token === '';
    case 'password':
      return presented.userName === '' || presented.password === '';
    case 'mqtt':
      return presented.clientId === '' && !presented.userName && !presented.password;
    case 'certificate':
      return false;
  }
}

const nothingPresented = (): CodedError =>
  new CodedError(
    'UNAUTHENTICATED',
    'Say who is calling: "Authorization: Bearer <token>" with the token of a device or of POST /user/login, or "Authorization: Basic <...>" with the user name and password of a device.',
  );

const nothingOverMqtt = (): CodedError =>
  new CodedError(
    'UNAUTHENTICATED',
    'Say who is connecting: the access token of a device as the user name, or a user name with its password, or a client certificate.',
  );
