import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { pino } from 'pino';
import { from, type Observable } from 'rxjs';
import { CodedError, type DevicePrincipal } from '#contracts';
import { BUS, Events, MessagingModule, RpcClient, type Bus } from '#messaging';
import { PlatformModule, uuid7 } from '#platform';
import { waitUntil } from '#testing';
import { DeviceCredentials, type RevokedCredential } from './device-credentials.ts';

const log = pino({ level: 'silent' });
const token = { kind: 'token', token: 'token' } as const;
const principal = (expiresAt: number | null = null): DevicePrincipal => ({
  kind: 'device',
  credentialId: uuid7(),
  expiresAt,
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
});

const messagesWithinAProcess = () =>
  Test.createTestingModule({
    imports: [PlatformModule.forRoot(log), MessagingModule.forRoot({ service: 'test' })],
  }).compile();

let messaging: TestingModule;
let events: Events;
let credentials: DeviceCredentials;
let asked: number;
let verify: () => Promise<DevicePrincipal>;

beforeEach(async () => {
  messaging = await messagesWithinAProcess();
  events = messaging.get(Events);
  asked = 0;
  const send = (): Observable<unknown> => {
    asked += 1;
    return from(verify());
  };
  credentials = new DeviceCredentials(new RpcClient({ send } as never), events, messaging.get<Bus>(BUS));
});
afterEach(async () => {
  credentials.onApplicationShutdown();
  await messaging.close();
});

test('the registry is asked once for a token that is used often', async () => {
  const device = principal();
  verify = () => Promise.resolve(device);
  for (const _use of [1, 2, 3]) expect(await credentials.verify(token)).toEqual(device);
  expect(asked).toBe(1);
});

test('a revoked credential is asked for again, and its connections are told', async () => {
  const device = principal();
  verify = () => Promise.resolve(device);
  const ended: RevokedCredential[] = [];
  credentials.onRevoked((revoked) => ended.push(revoked));
  await credentials.verify(token);
  verify = () => Promise.reject(new CodedError('BAD_CREDENTIALS', 'revoked'));
  const revoked = { deviceId: device.device.id, credentialId: device.credentialId };
  events.publish('registry.credentials.revoked', revoked);
  await waitUntil(() => ended.length > 0, { what: 'it is heard' });
  expect(ended).toEqual([revoked]);
  await expect(credentials.verify(token)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
});

test('a credential revoked while the answer was on its way is asked for again', async () => {
  const device = principal();
  let release: (device: DevicePrincipal) => void = () => undefined;
  verify = () => new Promise((resolve) => (release = resolve));
  const verifying = credentials.verify(token);
  await waitUntil(() => asked === 1, { what: 'it is asked for' });
  let heard = false;
  credentials.onRevoked(() => (heard = true));
  events.publish('registry.credentials.revoked', { deviceId: device.device.id, credentialId: null });
  await waitUntil(() => heard, { what: 'it is heard' });
  verify = () => Promise.reject(new CodedError('BAD_CREDENTIALS', 'revoked'));
  release(device);
  await expect(verifying).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
});

test('a refused token is not asked for at full rate', async () => {
  verify = () => Promise.reject(new CodedError('BAD_CREDENTIALS', 'nobody'));
  for (const _guess of [1, 2, 3])
    await expect(credentials.verify(token)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
  expect(asked).toBe(1);
});

test('a registry that is away is not taken for a refusal', async () => {
  const device = principal();
  verify = () => Promise.reject(new Error('nobody answers'));
  await expect(credentials.verify(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  verify = () => Promise.resolve(device);
  expect(await credentials.verify(token)).toEqual(device);
});

test('a credential whose time is over is refused, known or not', async () => {
  const device = principal(Date.now() - 1);
  verify = () => Promise.resolve(device);
  for (const _use of [1, 2]) await expect(credentials.verify(token)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
});

test('a user name with its password is asked for once, and is not taken for a token or another division of it', async () => {
  const device = principal();
  verify = () => Promise.resolve(device);
  const presented = { kind: 'password', userName: 'a', password: 'b' } as const;
  for (const _use of [1, 2]) expect(await credentials.verify(presented)).toEqual(device);
  expect(asked).toBe(1);
  await credentials.verify({ kind: 'password', userName: 'ab', password: 'b' });
  await credentials.verify({ kind: 'token', token: JSON.stringify(presented) });
  expect(asked).toBe(3);
});

test('what an MQTT client brings is asked for once, and again with another client id or password; a certificate once', async () => {
  const device = principal();
  verify = () => Promise.resolve(device);
  const brought = { kind: 'mqtt', clientId: 'c', userName: 'u', password: 'p' } as const;
  const presented = [brought, { ...brought, clientId: 'd' }, { ...brought, password: 'q' }];
  const certificates = ['a', 'b'].map((digit) => ({ kind: 'certificate', fingerprint: digit.repeat(64) }) as const);
  for (const _use of [1, 2]) {
    for (const each of [...presented, ...certificates]) expect(await credentials.verify(each)).toEqual(device);
  }
  expect(asked).toBe(5);
});

test('a registry where too many passwords wait is not taken for a refusal', async () => {
  const device = principal();
  verify = () => Promise.reject(new CodedError('UNAVAILABLE', 'too many', { retryAfterMs: 2_000 }));
  const brought = { kind: 'mqtt', clientId: 'c', userName: 'u', password: 'p' } as const;
  await expect(credentials.verify(brought)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 2_000 });
  verify = () => Promise.resolve(device);
  expect(await credentials.verify(brought)).toEqual(device);
});

test.each(['BAD_CREDENTIALS', 'TOKEN_EXPIRED', 'DEVICE_DISABLED', 'NOT_REGISTERED'] as const)(
  'a refusal with %s is forgotten as soon as some device has changed',
  async (code) => {
    const device = principal();
    verify = () => Promise.reject(new CodedError(code, 'refused'));
    for (const _use of [1, 2]) await expect(credentials.verify(token)).rejects.toMatchObject({ code });
    expect(asked).toBe(1);
    verify = () => Promise.resolve(device);
    events.publish('registry.device.changed', { change: 'updated', device: device.device });
    await waitUntil(() => credentials.verify(token).then(Boolean, () => false), { what: 'it is let in' });
  },
);

test('what is known of a device is asked for again after it changed, and of the others is not', async () => {
  const [one, other] = [principal(), principal()];
  const otherToken = { kind: 'token', token: 'other' } as const;
  verify = () => Promise.resolve(one);
  await credentials.verify(token);
  verify = () => Promise.resolve(other);
  await credentials.verify(otherToken);
  const renamed = { ...one, device: { ...one.device, name: 'renamed' } };
  verify = () => Promise.resolve(renamed);
  events.publish('registry.device.changed', { change: 'updated', device: renamed.device });
  await waitUntil(async () => (await credentials.verify(token)).device.name === 'renamed', { what: 'its new name' });
  expect(await credentials.verify(otherToken)).toEqual(other);
  expect(asked).toBe(3);
});

test('devices that change without end do not hold up the answer for another one', async () => {
  const device = principal();
  const changing = { ...principal().device };
  verify = async () => {
    events.publish('registry.device.changed', { change: 'updated', device: { ...changing, id: uuid7() } });
    await new Promise(setImmediate);
    return device;
  };
  expect(await credentials.verify(token)).toEqual(device);
  expect(asked).toBe(1);
});
