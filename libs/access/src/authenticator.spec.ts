import { beforeEach, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { CodedError, type DevicePrincipal } from '#contracts';
import { uuid7 } from '#platform';
import { Authenticator } from './authenticator.ts';
import type { Claims } from './claims.ts';
import type { DeviceCredentials } from './device-credentials.ts';
import type { PresentedCredentials } from './presented-credentials.ts';
import type { TokenVerifier } from './token-verifier.ts';

const claims: Claims = { sub: uuid7(), sid: uuid7(), role: 'user', cid: null, at: 1, exp: 2_000 };
const device: DevicePrincipal = {
  kind: 'device',
  credentialId: uuid7(),
  expiresAt: 5_000,
  device: {
    id: uuid7(),
    name: 'd',
    kind: 'direct',
    customerId: null,
    ownerId: null,
    masterId: null,
    profileId: null,
    state: 'active',
  },
};
const token = (text: string): PresentedCredentials => ({ kind: 'token', token: text });
const devicesToken = jwt.sign({}, 'k', { issuer: 'fieldline-devices' });
const personsToken = jwt.sign({}, 'k', { issuer: 'fieldline' });

let asked: string[];
let ofDevice: () => Promise<DevicePrincipal>;
let authenticator: Authenticator;

beforeEach(() => {
  asked = [];
  ofDevice = () => Promise.resolve(device);
  const people: Pick<TokenVerifier, 'verify'> = {
    verify: () => {
      asked.push('people');
      return Promise.resolve(claims);
    },
  };
  const devices: Pick<DeviceCredentials, 'verify'> = {
    verify: () => {
      asked.push('devices');
      return ofDevice();
    },
  };
  authenticator = new Authenticator(people as TokenVerifier, devices as DeviceCredentials);
});

describe('who is calling', () => {
  test.each<[string, PresentedCredentials, string]>([
    ['an access token', token('abc'), 'devices'],
    ["a device's JSON web token", token(devicesToken), 'devices'],
    ['a user name and password', { kind: 'password', userName: 'a.b.c', password: 'x' }, 'devices'],
    ["a person's token", token(personsToken), 'people'],
    ['a token of an unknown issuer', token(jwt.sign({}, 'k', { issuer: 'others' })), 'people'],
    ['what an MQTT client brings', { kind: 'mqtt', clientId: '', userName: 'abc' }, 'devices'],
    ['a client id alone', { kind: 'mqtt', clientId: 'c' }, 'devices'],
    ['a password alone', { kind: 'mqtt', clientId: '', password: devicesToken }, 'devices'],
    ["a person's token as an MQTT user name", { kind: 'mqtt', clientId: '', userName: personsToken }, 'devices'],
    ['a client certificate', { kind: 'certificate', fingerprint: 'a'.repeat(64) }, 'devices'],
    ['dots', token('..'), 'people'],
    ['no token at all, but with a dot', token('a.b'), 'people'],
  ])('%s is checked by those of one kind only', async (_what, presented, kind) => {
    await authenticator.authenticate(presented);
    expect(asked).toEqual([kind]);
  });

  test('holds until the credentials end', async () => {
    expect(await authenticator.authenticate(token(devicesToken))).toEqual({ principal: device, expiresAt: 5_000 });
    expect((await authenticator.authenticate(token(personsToken))).expiresAt).toBe(2_000_000);
  });

  test.each<[string, PresentedCredentials | undefined]>([
    ['nothing', undefined],
    ['an empty token', token('')],
    ['an empty user name', { kind: 'password', userName: '', password: 'x' }],
    ['an empty password', { kind: 'password', userName: 'x', password: '' }],
    ['a token that is too long', token('x'.repeat(4_097))],
    ['an MQTT client that brings nothing', { kind: 'mqtt', clientId: '', userName: '', password: '' }],
    ['an MQTT client id that is too long', { kind: 'mqtt', clientId: 'x'.repeat(65_536), userName: 'x' }],
    ['an MQTT user name that is too long', { kind: 'mqtt', clientId: '', userName: 'x'.repeat(4_097) }],
    ['an MQTT password that is too long', { kind: 'mqtt', clientId: '', userName: 'x', password: 'x'.repeat(4_097) }],
    ['a fingerprint that is none', { kind: 'certificate', fingerprint: 'A'.repeat(64) }],
    ['a user name that is too long', { kind: 'password', userName: 'x'.repeat(257), password: 'x' }],
  ])('is nobody with %s, without anybody being asked', async (_what, presented) => {
    await expect(authenticator.authenticate(presented)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(asked).toEqual([]);
  });

  test('is told both ways of saying so', async () => {
    await expect(authenticator.authenticate(undefined)).rejects.toThrow(/Bearer.*Basic/);
  });

  test('is told how to say so over MQTT', async () => {
    await expect(authenticator.authenticate({ kind: 'mqtt', clientId: '' })).rejects.toThrow(/access token.*user name/);
  });

  test('is not told that a device is gone', async () => {
    ofDevice = () => Promise.reject(new CodedError('NOT_REGISTERED', 'gone'));
    await expect(authenticator.authenticate(token(devicesToken))).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    ofDevice = () => Promise.reject(new CodedError('DEVICE_DISABLED', 'off'));
    await expect(authenticator.authenticate(token(devicesToken))).rejects.toMatchObject({ code: 'DEVICE_DISABLED' });
  });
});
