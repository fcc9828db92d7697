import { RPC, type RpcRequest } from '#contracts';

/**
 * What a caller says who they are by: a token (a person's or a device's JSON web token, or a device's access token), a device's user name
 * and password, the fingerprint of a client certificate, or what an MQTT client brings in CONNECT.
 */
export type PresentedCredentials = RpcRequest<'registry.credentials.verify'>;

/** The token of an `Authorization: Bearer <token>` header (RFC 6750 section 2.1). */
export const bearerToken = (header: string | undefined): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];

/** The credentials of an `Authorization` header, `Bearer <token>` or `Basic <user name and password>`; undefined without any. */
export function credentialsOf(header: string | undefined): PresentedCredentials | undefined {
  const token = bearerToken(header);
  return token === undefined ? basicCredentials(header) : { kind: 'token', token };
}

/** The credentials of a socket's handshake: `auth` as `{token}` or `{userName, password}`, else the `Authorization` header. */
export function handshakeCredentials(auth: unknown, header: string | undefined): PresentedCredentials | undefined {
  return givenCredentials(auth) ?? credentialsOf(header);
}

/** The credentials of an object `{token}` or `{userName, password}`; undefined for anything else. */
export function givenCredentials(given: unknown): PresentedCredentials | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  if ('token' in given && typeof given.token === 'string') return { kind: 'token', token: given.token };
  if (!('userName' in given) || !('password' in given)) return undefined;
  const { userName, password } = given;
  if (typeof userName !== 'string' || typeof password !== 'string') return undefined;
  return { kind: 'password', userName, password };
}

/** Are these within the bounds that credentials of ours have? */
export const areWithinBounds = (presented: PresentedCredentials): boolean =>
  RPC['registry.credentials.verify'].request.safeParse(presented).success;

/**
 * RFC 7617 section 2, in UTF-8, but divided at the last colon: the user names of devices end with a MAC address, and no password of ours
 * has a colon.
 */
function basicCredentials(header: string | undefined): PresentedCredentials | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.lastIndexOf(':');
  return colon < 0 ? undefined : { kind: 'password', userName: text.slice(0, colon), password: text.slice(colon + 1) };
}
