import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type {
  Authenticated,
  Authenticator,
  Claims,
  DeviceCredentials,
  PresentedCredentials,
  RevokedCredential,
  Revocations,
} from '#access';
import { CodedError, type ErrorBody } from '#contracts';
import { uuid7 } from '#platform';
import { Connections } from './connections.ts';

const NOW = Date.UTC(2026, 5, 1);
const deviceId = uuid7();
const credentialId = uuid7();
const token = (text: string): PresentedCredentials => ({ kind: 'token', token: text });
const device = (expiresAt: number | null = null): Authenticated => ({
  principal: {
    kind: 'device',
    credentialId,
    device: {
      id: deviceId,
      name: 'd',
      kind: 'direct',
      customerId: null,
      ownerId: null,
      masterId: null,
      profileId: null,
      state: 'active',
    },
    expiresAt,
  },
  expiresAt,
});
const claims: Claims = { sub: uuid7(), sid: uuid7(), role: 'user', cid: null, at: NOW, exp: NOW / 1000 + 900 };
const person: Authenticated = {
  principal: { kind: 'user', userId: claims.sub, sessionId: claims.sid, role: 'user', customerId: null },
  claims,
  expiresAt: NOW + 900_000,
};

let revokeDevice: (revoked: RevokedCredential) => void;
let revokePeople: (isRevoked: (claims: Claims) => boolean) => void;
let authenticate: () => Promise<Authenticated>;
let connections: Connections;
let closed: ErrorBody[];
let warned: number[];

const end = {
  warn: (expiresAt: number): void => void warned.push(expiresAt),
  close: (reason: ErrorBody): void => void closed.push(reason),
};

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
  closed = [];
  warned = [];
  authenticate = () => Promise.resolve(device());
  connections = new Connections(
    { authenticate: () => authenticate() } as unknown as Authenticator,
    { onRevoked: (hear: typeof revokeDevice) => (revokeDevice = hear) } as unknown as DeviceCredentials,
    { onRevoked: (hear: typeof revokePeople) => (revokePeople = hear) } as unknown as Revocations,
  );
  connections.onApplicationBootstrap();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('a connection', () => {
  it('is warned a minute before its credential ends and closed when it does', () => {
    connections.add(device(NOW + 300_000), token('t'), end);
    jest.advanceTimersByTime(239_000);
    expect(warned).toEqual([]);
    jest.advanceTimersByTime(1_000);
    expect(warned).toEqual([NOW + 300_000]);
    jest.advanceTimersByTime(60_000);
    expect(closed.map(({ code }) => code)).toEqual(['TOKEN_EXPIRED']);
  });

  it('goes on with a new credential of the same caller', async () => {
    const connection = connections.add(device(NOW + 100_000), token('t'), end);
    authenticate = () => Promise.resolve(device(NOW + 1_000_000));
    await connections.renew(connection, token('t2'));
    jest.advanceTimersByTime(200_000);
    expect(closed).toEqual([]);
  });

  it('cannot become somebody else’s', async () => {
    const connection = connections.add(device(), token('t'), end);
    authenticate = () => Promise.resolve(person);
    await expect(connections.renew(connection, token('t2'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is closed when its credential is revoked, and no other one is', () => {
    connections.add(device(), token('t'), end);
    revokeDevice({ deviceId, credentialId: uuid7() });
    revokeDevice({ deviceId: uuid7(), credentialId: null });
    expect(closed).toEqual([]);
    revokeDevice({ deviceId, credentialId });
    expect(closed.map(({ code }) => code)).toEqual(['TOKEN_REVOKED']);
  });

  it('is closed when its device loses all credentials', () => {
    connections.add(device(), token('t'), end);
    revokeDevice({ deviceId, credentialId: null });
    expect(closed).toHaveLength(1);
  });

  it('of a person is closed when their login ends', () => {
    connections.add(person, token('t'), end);
    connections.add(device(), token('t'), end);
    revokePeople(({ sid }) => sid === claims.sid);
    expect(closed).toHaveLength(1);
  });

  it('whose revocation was not heard is found out within a minute', async () => {
    connections.add(device(), token('t'), end);
    authenticate = () => Promise.reject(new CodedError('BAD_CREDENTIALS', 'unknown'));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(closed.map(({ code }) => code)).toEqual(['BAD_CREDENTIALS']);
  });

  it('goes on while nobody can tell whether its credential still holds', async () => {
    connections.add(device(), token('t'), end);
    authenticate = () => Promise.reject(new CodedError('UNAVAILABLE', 'away'));
    await jest.advanceTimersByTimeAsync(180_000);
    expect(closed).toEqual([]);
  });

  it('that is gone is not closed again', () => {
    connections.remove(connections.add(device(NOW + 1_000), token('t'), end));
    jest.advanceTimersByTime(10_000);
    expect(closed).toEqual([]);
    expect(connections.count).toBe(0);
  });
});
