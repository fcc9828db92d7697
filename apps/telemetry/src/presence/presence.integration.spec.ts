import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import type { DeviceEvent, DeviceRef } from '#contracts';
import { Events, inProcessBus, type RpcClient, type Bus } from '#messaging';
import { uuid7 } from '#platform';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase, waitUntil } from '#testing';
import { TELEMETRY } from '../data-source-name.ts';
import type { DeviceLink, LinkVia } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { Replica } from '../link/replica.ts';
import { DeviceEvents } from '../live/device-events.ts';
import { TELEMETRY_SCHEMA } from '../schema.ts';
import { ConnectionStore } from './connection-store.ts';
import { ConnectionEntity, LinkReplicaEntity } from './connection.entity.ts';
import { InactivityTimes } from './inactivity-times.ts';
import { PresenceWatch } from './presence-watch.ts';
import { Presence } from './presence.service.ts';

const log = pino({ level: 'silent' });
const SECOND = 1_000;

const deviceRef = (profileId: string | null = null): DeviceRef => ({
  id: uuid7(),
  name: 'd',
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId,
  state: 'active',
});

/** Every profile lets its devices be silent for this long. */
const INACTIVITY_S = 60;
const registry = {
  call: () => Promise.resolve({ id: uuid7(), name: 'p', inactivitySeconds: INACTIVITY_S }),
} as unknown as RpcClient;

/** Presence as one replica has it, with a clock that a test sets. */
class TestReplica {
  readonly replica: Replica;
  readonly links: DeviceLinks;
  readonly store: ConnectionStore;
  readonly presence: Presence;
  readonly watch: PresenceWatch;

  constructor(dataSource: DataSource, bus: Bus, events: Events, now: () => number) {
    this.replica = new Replica(bus);
    this.links = new DeviceLinks(bus);
    this.store = new ConnectionStore(dataSource, this.replica);
    const live = new DeviceEvents(bus);
    const inactivity = new InactivityTimes(registry, log);
    this.presence = new Presence(this.store, this.links, live, inactivity, events, now, log);
    this.watch = new PresenceWatch(this.store, this.presence, this.links, this.replica, 30 * 86_400_000, now, log);
    this.presence.onApplicationBootstrap();
  }

  link(device: DeviceRef, via: LinkVia = 'mqtt'): TestLink {
    const link = new TestLink(device, via);
    this.links.open(link);
    return link;
  }

  end(link: TestLink, reason = 'the device has closed it'): void {
    this.links.close(link, reason);
  }
}

class TestLink implements DeviceLink {
  readonly id = uuid7();
  readonly address = '192.0.2.1';
  readonly protocol = 'MQTT 5';
  readonly clientId = 'client';
  lastSeen = 0;

  constructor(
    readonly device: DeviceRef,
    readonly via: LinkVia,
  ) {}

  sendCommand(): Promise<void> {
    return Promise.resolve();
  }

  sendAttributes(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.lastSeen = 0;
  }
}

function presenceSuite(newDatabase: () => Promise<DataSource>): void {
  let dataSource: DataSource;
  let bus: Bus;
  let events: Events;
  let time: number;
  let here: TestReplica;
  let there: TestReplica;
  let device: DeviceRef;

  const replica = () => new TestReplica(dataSource, bus, events, () => time);

  beforeAll(async () => {
    dataSource = await newDatabase();
    await migrate(dataSource);
  });
  afterAll(async () => {
    await dataSource.destroy();
  });
  beforeEach(() => {
    time = Date.now();
    bus = inProcessBus(log);
    events = new Events(bus, log);
    here = replica();
    there = replica();
    device = deviceRef();
  });
  afterEach(async () => {
    await Promise.all([here.presence.beforeApplicationShutdown(), there.presence.beforeApplicationShutdown()]);
    await dataSource.getRepository(LinkReplicaEntity).deleteAll();
  });

  const written = async () => {
    await here.presence.flush();
    await there.presence.flush();
  };
  const connection = async (of = device) => {
    await written();
    return here.presence.of(of.id);
  };
  const history = async () => {
    await written();
    return (await here.store.history(device.id, { limit: 100 })).items.map(({ kind, reason }) => [kind, reason]);
  };

  test('a device is online with its link, and says what it was when it is offline', async () => {
    expect(await connection()).toBeUndefined();
    const since = time;
    const link = there.link(device);
    expect(await connection()).toEqual({
      online: true,
      since,
      lastSeen: expect.any(Number),
      via: 'mqtt',
      replica: there.replica.name,
      address: '192.0.2.1',
      protocol: 'MQTT 5',
      clientId: 'client',
      reason: null,
      will: null,
    });
    time += SECOND;
    link.lastSeen = time - 1;
    there.end(link);
    expect(await connection()).toMatchObject({
      online: false,
      since: time,
      lastSeen: time - 1,
      reason: 'the device has closed it',
      via: 'mqtt',
      replica: there.replica.name,
    });
    expect(await history()).toEqual([
      ['offline', 'the device has closed it'],
      ['online', null],
    ]);
  });

  test('a device that has connected to another replica stays online when its older link ends', async () => {
    const older = here.link(device);
    await written();
    there.link(device);
    await written();
    here.end(older, 'the device has connected anew');
    expect(await connection()).toMatchObject({ online: true, replica: there.replica.name });
    expect(await history()).toEqual([
      ['online', null],
      ['online', null],
    ]);
  });

  test('a device whose newest link ends is still online by one on another replica', async () => {
    here.link(device, 'socket');
    await written();
    const newer = there.link(device, 'mqtt');
    await written();
    there.end(newer);
    await written();
    await waitUntil(async () => (await connection())?.online === true, { what: 'it is online by its older link' });
    expect(await connection()).toMatchObject({ via: 'socket', replica: here.replica.name });
  });

  test('a device whose newest link ends is still online by one on the same replica', async () => {
    here.link(device, 'socket');
    const newer = here.link(device, 'mqtt');
    await written();
    here.end(newer);
    expect(await connection()).toMatchObject({ online: true, via: 'socket' });
    expect((await history()).map(([kind]) => kind)).not.toContain('offline');
  });

  test('viewers are told when a device goes online and offline, of its will and of what it was refused', async () => {
    const heard: DeviceEvent[] = [];
    const stop = new DeviceEvents(bus).watch(device.id, (event) => heard.push(event));
    const link = here.link(device);
    await written();
    here.presence.note(device.id, { kind: 'will', reason: 'its link was lost', topic: 'status', payload: 'dead' });
    here.presence.note(device.id, { kind: 'refused', reason: 'not its topic', topic: 'other/topic' });
    here.end(link, 'lost');
    await written();
    await waitUntil(() => heard.length === 4, { what: 'all is told' });
    expect(heard).toMatchObject([
      { event: 'presence', data: { online: true } },
      { event: 'connection', data: { kind: 'will', topic: 'status' } },
      { event: 'connection', data: { kind: 'refused', reason: 'not its topic', topic: 'other/topic' } },
      { event: 'presence', data: { online: false, reason: 'lost', will: { topic: 'status', payload: 'dead' } } },
    ]);
    expect((await history()).map(([kind]) => kind)).toEqual(['offline', 'refused', 'will', 'online']);
    stop();
  });

  test('a flood of refusals is kept in part, whatever is in them', async () => {
    here.link(device);
    for (let n = 0; n < 500; n += 1) {
      here.presence.note(device.id, {
        kind: 'refused',
        reason: `\ud800 ${'x'.repeat(5_000)}`,
        topic: 'y'.repeat(70_000),
      });
    }
    expect((await history()).length).toBeLessThanOrEqual(31);
    expect(await connection()).toMatchObject({ online: true });
  });

  test('a device that sends requests is online until it was silent for as long as its profile says', async () => {
    device = deviceRef(uuid7());
    await here.presence.lookForSilent();
    const unlinked = deviceRef(device.profileId);
    here.presence.heard(unlinked, { via: 'http', address: '192.0.2.7' });
    await written();
    here.presence.heard(device, { via: 'http', address: '192.0.2.7' });
    expect(await connection()).toMatchObject({ online: true, via: 'http', lastSeen: time, address: '192.0.2.7' });
    time += INACTIVITY_S * SECOND + 1;
    await there.presence.lookForSilent();
    expect(await connection()).toMatchObject({ online: false, reason: expect.stringContaining('inactive') });
    expect(await connection(unlinked)).toMatchObject({ online: true });
  });

  test('a link that is silent for too long is offline until something comes over it', async () => {
    device = deviceRef(uuid7());
    const link = here.link(device);
    link.lastSeen = time;
    await here.presence.lookForSilent();
    time += INACTIVITY_S * SECOND + 1;
    await waitUntil(
      async () => {
        await here.presence.lookForSilent();
        return (await connection())?.online === false;
      },
      { what: 'its profile was asked for, and it is offline' },
    );
    expect(await connection()).toMatchObject({ reason: expect.stringContaining('inactive') });
    link.lastSeen = time;
    await here.presence.lookForSilent();
    expect(await connection()).toMatchObject({ online: true, reason: null });
    here.end(link);
    expect(await connection()).toMatchObject({ online: false, reason: 'the device has closed it' });
  });

  test('when a device was last heard of is written beside everything else', async () => {
    const link = there.link(device);
    await written();
    link.lastSeen = time + 5 * SECOND;
    await there.watch.writeSeen();
    expect(await connection()).toMatchObject({ lastSeen: time + 5 * SECOND });
  });

  test('the devices of a replica that has died are offline within 30 s, and those of others are not', async () => {
    const others = Array.from({ length: 300 }, () => deviceRef());
    for (const other of others) there.link(other);
    here.link(device);
    await written();
    const heard: string[] = [];
    const live = new DeviceEvents(bus);
    const stops = others.map(({ id }) => live.watch(id, ({ event }) => heard.push(event)));
    await there.watch.beat(0);
    let clock = 0;
    for (; clock <= 8 * SECOND; clock += 4 * SECOND) {
      await there.watch.beat(clock);
      await here.watch.beat(clock);
    }
    const died = clock - 4 * SECOND;
    while ((await connection(others[0]))?.online) {
      await here.watch.beat(clock);
      clock += 4 * SECOND;
    }
    expect(clock - died).toBeLessThanOrEqual(30 * SECOND);
    for (const other of others) {
      expect(await connection(other)).toMatchObject({
        online: false,
        reason: 'the replica that held its link is gone',
      });
    }
    expect(await connection()).toMatchObject({ online: true });
    await waitUntil(() => heard.length === others.length, { what: 'viewers are told once of each' });
    for (const stop of stops) stop();
  });

  test('a replica that was only slow writes its devices online again', async () => {
    there.link(device);
    await written();
    await there.watch.beat(0);
    await written();
    for (let clock = 0; clock <= 24 * SECOND; clock += 4 * SECOND) await here.watch.beat(clock);
    expect(await connection()).toMatchObject({ online: false });
    await there.watch.beat(30 * SECOND);
    expect(await connection()).toMatchObject({ online: true, replica: there.replica.name });
    expect(await history()).toMatchObject([
      ['online', null],
      ['offline', expect.anything()],
      ['online', null],
    ]);
  });

  test('devices that come back on another replica while the dead one is buried stay online there', async () => {
    const devices = Array.from({ length: 200 }, () => deviceRef());
    for (const one of devices) there.link(one);
    await written();
    await there.watch.beat(0);
    const [dead] = await here.store.replicas();
    for (const one of devices) here.link(one);
    const burying = dead && here.store.bury(dead, time, 'gone');
    await here.presence.flush();
    await burying;
    const states = await Promise.all(devices.map((one) => connection(one)));
    expect(states.filter((state) => state?.online && state.replica === here.replica.name)).toHaveLength(200);
  });

  test('of two replicas that bury a dead one, one does', async () => {
    there.link(device);
    await there.watch.beat(0);
    await written();
    const [dead] = await here.store.replicas();
    if (!dead) throw new Error('there is no replica');
    const buried = await Promise.all([here.store.bury(dead, time, 'gone'), here.store.bury(dead, time, 'gone')]);
    expect(buried.map(({ length }) => length).sort()).toEqual([0, 1]);
    expect((await history()).map(([kind]) => kind)).toEqual(['offline', 'online']);
  });

  test('a replica that stops marks its own devices offline', async () => {
    there.link(device);
    await written();
    await there.watch.beat(0);
    await there.watch.beforeApplicationShutdown();
    expect(await connection()).toMatchObject({ online: false, reason: 'its replica was stopped' });
    expect(await here.store.replicas()).toEqual([]);
  });

  test('5,000 devices that come back at once take few transactions', async () => {
    const devices = Array.from({ length: 5_000 }, () => deviceRef());
    let transactions = 0;
    const { takeIn } = here.store;
    here.store.takeIn = (news) => {
      transactions += 1;
      return takeIn.call(here.store, news);
    };
    for (const one of devices) here.link(one);
    await here.presence.flush();
    expect(transactions).toBeLessThanOrEqual(11);
    expect(await dataSource.getRepository(ConnectionEntity).countBy({ replicaId: here.replica.id, online: true })).toBe(
      5_000,
    );
  });

  test('what cannot be written waits, and says in the end how it is', async () => {
    const { takeIn } = here.store;
    let tries = 0;
    here.store.takeIn = () => {
      tries += 1;
      return Promise.reject(new Error('the database is away'));
    };
    for (let n = 0; n < 20; n += 1) {
      const link = here.link(device);
      await here.presence.flush();
      here.end(link);
    }
    here.link(device);
    await here.presence.flush();
    expect(tries).toBeGreaterThan(1);
    here.store.takeIn = takeIn;
    expect(await connection()).toMatchObject({ online: true });
  });

  test('nothing is left of a device that is deleted, nor comes back while its links end', async () => {
    const link = here.link(device);
    expect(await connection()).toBeDefined();
    events.publish('registry.device.changed', { change: 'deleted', device });
    await waitUntil(async () => (await connection()) === undefined, { what: 'its connection is deleted' });
    here.end(link);
    expect(await connection()).toBeUndefined();
    expect(await history()).toEqual([]);
  });

  test('what happened long ago is deleted', async () => {
    here.link(device);
    await written();
    await here.store.prune(time - SECOND);
    expect(await history()).toHaveLength(1);
    await here.store.prune(Date.now() + 60 * SECOND);
    expect(await history()).toEqual([]);
    expect(await connection()).toMatchObject({ online: true });
  });
}

describe('presence on SQLite', () => {
  presenceSuite(() => dataSourceFor('file::memory:', TELEMETRY, TELEMETRY_SCHEMA).initialize());
});

describeWith(['mysql'], 'presence on MySQL', () => {
  presenceSuite(async () => {
    const { url } = await freshMysqlDatabase();
    return dataSourceFor(url, TELEMETRY, TELEMETRY_SCHEMA).initialize();
  });
});
