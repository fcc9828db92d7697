import { beforeEach, describe, expect, test } from '@jest/globals';
import { inProcessBus, type Bus } from '#messaging';
import { pino } from 'pino';
import type { DeviceRef, ErrorBody, LinkMessage } from '#contracts';
import { uuid7 } from '#platform';
import type { DeviceLink, LinkVia } from './device-link.ts';
import { DeviceLinks } from './device-links.ts';

const device: DeviceRef = {
  id: uuid7(),
  name: 'd',
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId: null,
  state: 'active',
};

interface TestLink extends DeviceLink {
  closedFor: ErrorBody[];
}

/** An id as a replica makes one at that time. */
const idAt = (ms: number): string => {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};

const link = (via: LinkVia, id: string = uuid7()): TestLink => {
  const closedFor: ErrorBody[] = [];
  return {
    id,
    device,
    via,
    address: '192.0.2.1',
    protocol: 'test',
    clientId: null,
    lastSeen: 0,
    sendCommand: () => Promise.resolve(),
    sendAttributes: () => Promise.resolve(),
    close: (reason) => closedFor.push(reason),
    closedFor,
  };
};
const told = async () => {
  await new Promise(setImmediate);
  await new Promise(setImmediate);
};

let bus: Bus;
let here: DeviceLinks;
let there: DeviceLinks;

beforeEach(() => {
  bus = inProcessBus(pino({ level: 'silent' }));
  here = new DeviceLinks(bus);
  there = new DeviceLinks(bus);
});

describe('a device with a new MQTT link', () => {
  test('has its older ones closed, on whatever replica, and no sockets', async () => {
    const [older, socket, newer] = [link('mqtt'), link('socket'), link('mqtt')];
    here.open(older);
    here.open(socket);
    there.open(newer);
    await told();
    expect(older.closedFor).toMatchObject([{ code: 'TAKEN_OVER' }]);
    expect([socket.closedFor, newer.closedFor]).toEqual([[], []]);
  });

  test('keeps the newer one when word of the older one comes late', async () => {
    const [older, newer] = [link('mqtt'), link('mqtt')];
    there.open(newer);
    await told();
    here.open(older);
    await told();
    expect(newer.closedFor).toEqual([]);
  });

  test('has one closed that was there long before, even if the clock of the new one’s replica is behind', async () => {
    const now = Date.now();
    const [older, newer] = [link('mqtt', idAt(now - 20_000)), link('mqtt', idAt(now - 60_000))];
    here.open(older);
    await told();
    there.open(newer);
    await told();
    expect([older.closedFor.length, newer.closedFor.length]).toEqual([1, 0]);
  });

  test('is not spoken to any more over an older one that has yet to close', async () => {
    const [older, newer] = [link('mqtt'), link('mqtt')];
    here.open(older);
    here.ready(older, 'commands');
    there.open(newer);
    await told();
    expect(here.of(device.id, 'commands')).toBeUndefined();
  });
});

describe('the platform', () => {
  test('speaks over the newest link that listens', () => {
    const [older, newer] = [link('socket'), link('socket')];
    here.open(older);
    here.open(newer);
    expect(here.of(device.id, 'commands')).toBeUndefined();
    here.ready(older, 'commands');
    here.ready(newer, 'attributes');
    expect(here.of(device.id, 'commands')).toBe(older);
    here.ready(newer, 'commands');
    expect(here.of(device.id, 'commands')).toBe(newer);
    here.notReady(newer, 'commands');
    expect(here.of(device.id, 'commands')).toBe(older);
    here.close(older, 'gone');
    expect(here.of(device.id, 'commands')).toBeUndefined();
    expect(here.newest(device.id)).toBe(newer);
  });

  test('says once that a link is ready, however often the device says so, and again after it was not', () => {
    const ready: string[] = [];
    here.listen({ ready: (_, topic) => ready.push(topic) });
    const one = link('socket');
    here.ready(one, 'commands');
    here.open(one);
    here.ready(one, 'commands');
    here.ready(one, 'commands');
    expect(ready).toEqual(['commands']);
    here.notReady(one, 'commands');
    here.ready(one, 'commands');
    expect(ready).toEqual(['commands', 'commands']);
  });

  test('reaches the replica that a device is linked to, and nobody once it is not', async () => {
    const heard: LinkMessage[] = [];
    here.listen({ message: (_, message) => message.type === 'attributes' && heard.push(message) });
    const one = link('socket');
    here.open(one);
    there.tell(device.id, { type: 'attributes' });
    await told();
    expect(heard).toEqual([{ type: 'attributes' }]);
    expect(here.count).toBe(1);
    here.close(one, 'gone');
    here.close(one, 'gone');
    there.tell(device.id, { type: 'attributes' });
    await told();
    expect(heard).toHaveLength(1);
    expect([here.count, bus.reaches(`link.${device.id}`)]).toEqual([0, false]);
  });
});
