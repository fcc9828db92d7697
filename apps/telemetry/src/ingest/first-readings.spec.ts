import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { pino } from 'pino';
import { from } from 'rxjs';
import type { DeviceRef } from '#contracts';
import { Events, MessagingModule, RpcClient } from '#messaging';
import { PlatformModule, uuid7 } from '#platform';
import { waitUntil } from '#testing';
import { FirstReadings } from './first-readings.ts';

const log = pino({ level: 'silent' });
const device = (state: DeviceRef['state'] = 'provisioned'): DeviceRef => ({
  id: uuid7(),
  name: 'd',
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId: null,
  state,
});
const messagesWithinAProcess = () =>
  Test.createTestingModule({
    imports: [PlatformModule.forRoot(log), MessagingModule.forRoot({ service: 'test' })],
  }).compile();
const idle = () => new Promise(setImmediate);

let messaging: TestingModule;
let events: Events;
let told: string[];
let answer: () => Promise<object>;
let first: FirstReadings;

beforeEach(async () => {
  messaging = await messagesWithinAProcess();
  events = messaging.get(Events);
  told = [];
  answer = () => Promise.resolve({});
  const send = (_subject: string, { deviceId }: { deviceId: string }) => {
    told.push(deviceId);
    return from(answer());
  };
  first = new FirstReadings(new RpcClient({ send } as never), events, log);
});
afterEach(async () => {
  first.onApplicationShutdown();
  await messaging.close();
});

describe('the registry', () => {
  test('is told once of a device, however often a connection that knows it as it was sends', async () => {
    const one = device();
    for (const _batch of [1, 2, 3]) {
      first.heard(one);
      await idle();
    }
    expect(told).toEqual([one.id]);
  });

  test('is not told of a device that is active', async () => {
    first.heard(device('active'));
    await idle();
    expect(told).toEqual([]);
  });

  test('is told again with the next readings if that failed, and not before', async () => {
    const one = device();
    answer = () => Promise.reject(new Error('nobody answers'));
    first.heard(one);
    await idle();
    await idle();
    expect(told).toEqual([one.id]);
    answer = () => Promise.resolve({});
    for (const _batch of [1, 2, 3]) {
      first.heard(one);
      await idle();
    }
    expect(told).toEqual([one.id, one.id]);
  });

  test('is not asked twice at the same time, nor for more than a few devices', async () => {
    let release: (value: object) => void = () => undefined;
    const waiting = new Promise<object>((resolve) => (release = resolve));
    answer = () => waiting;
    const one = device();
    first.heard(one);
    first.heard(one);
    for (let count = 0; count < 100; count += 1) first.heard(device());
    expect(told).toHaveLength(32);
    expect(told.filter((id) => id === one.id)).toHaveLength(1);
    release({});
    await idle();
  });

  test('is told again of a device that was reset', async () => {
    const one = device();
    first.heard(one);
    await idle();
    events.publish('registry.device.changed', { change: 'updated', device: { ...one, state: 'active' } });
    events.publish('registry.device.changed', { change: 'updated', device: { ...one, state: 'created' } });
    await waitUntil(
      () => {
        first.heard({ ...one, state: 'created' });
        return told.length === 2;
      },
      { what: 'it is told again' },
    );
    expect(told).toEqual([one.id, one.id]);
  });
});
