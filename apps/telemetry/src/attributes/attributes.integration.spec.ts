import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import type { AttributesChange, CommandView, DeviceRef, ErrorBody } from '#contracts';
import { Events, inProcessBus, type Bus } from '#messaging';
import { uuid7 } from '#platform';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase, waitUntil } from '#testing';
import { TELEMETRY } from '../data-source-name.ts';
import type { AttributesUpdate, DeviceLink } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { DeviceEvents } from '../live/device-events.ts';
import { TELEMETRY_SCHEMA } from '../schema.ts';
import { AttributeStore } from './attribute-store.ts';
import { AttributesDelivery } from './attributes-delivery.ts';
import { Attributes } from './attributes.service.ts';

const BY = uuid7();
const log = pino({ level: 'silent' });

const deviceRef = (): DeviceRef => ({
  id: uuid7(),
  name: 'd',
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  state: 'active',
  profileId: null,
});

/** A link that notes what it is told; it says that it has an update once `answer` is called for it, or at once. */
class Link implements DeviceLink {
  readonly id = uuid7();
  readonly via = 'socket';
  readonly address = '127.0.0.1';
  readonly protocol = 'test';
  readonly clientId = null;
  readonly lastSeen = 0;
  readonly told: AttributesUpdate[] = [];
  private readonly unanswered: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(
    readonly device: DeviceRef,
    private readonly answersAtOnce = true,
  ) {}

  sendCommand(_command: CommandView): Promise<void> {
    return Promise.resolve();
  }

  sendAttributes(update: AttributesUpdate): Promise<void> {
    this.told.push(update);
    if (this.answersAtOnce) return Promise.resolve();
    return new Promise((resolve, reject) => this.unanswered.push({ resolve, reject }));
  }

  answer(): void {
    this.unanswered.shift()?.resolve();
  }

  close(_reason: ErrorBody): void {
    for (const { reject } of this.unanswered) reject(new Error('closed'));
  }
}

/** The part of a replica of telemetry that this is about. */
class Replica {
  readonly links: DeviceLinks;
  readonly attributes: Attributes;
  readonly store: AttributeStore;
  /** Ids of devices that were heard of. */
  readonly heard: string[] = [];
  private readonly delivery: AttributesDelivery;

  constructor(dataSource: DataSource, bus: Bus) {
    this.links = new DeviceLinks(bus);
    this.store = new AttributeStore(dataSource, Date.now);
    const first = { heard: ({ id }: DeviceRef) => void this.heard.push(id) };
    this.attributes = new Attributes(this.store, this.links, new DeviceEvents(bus), new Events(bus, log), first, log);
    this.delivery = new AttributesDelivery(this.links, this.store, bus, log);
    this.attributes.onApplicationBootstrap();
    this.delivery.onApplicationBootstrap();
  }

  connect(link: Link): Link {
    this.links.open(link);
    this.links.ready(link, 'attributes');
    return link;
  }

  lose(link: Link): void {
    this.links.close(link, 'lost');
    link.close({ code: 'UNAVAILABLE', message: 'lost' });
  }

  share(device: DeviceRef, shared: Record<string, unknown>) {
    return this.attributes.write(device.id, { shared }, { by: BY });
  }

  stop(): void {
    this.delivery.beforeApplicationShutdown();
    this.attributes.onApplicationShutdown();
  }
}

/** @param open Gives the data source of each replica. */
function twinSuite(open: () => Promise<[DataSource, DataSource]>): void {
  let sources: DataSource[];
  let bus: Bus;
  let replicas: Replica[];
  let device: DeviceRef;
  let [near, far]: (Replica | undefined)[] = [];

  beforeAll(async () => {
    sources = await open();
    for (const source of sources) await migrate(source);
  });
  afterAll(async () => {
    for (const source of new Set(sources)) await source.destroy();
  });
  beforeEach(() => {
    bus = inProcessBus(log);
    replicas = sources.map((source) => new Replica(source, bus));
    [near, far] = replicas;
    device = deviceRef();
  });
  afterEach(() => {
    for (const replica of replicas) replica.stop();
  });

  const both = (): [Replica, Replica] => {
    if (!near || !far) throw new Error('there are two replicas');
    return [near, far];
  };
  const hasTold = (link: Link, count: number) =>
    waitUntil(() => link.told.length === count, { what: `the device was told ${String(count)} times` });
  const hasAll = (store: AttributeStore) =>
    waitUntil(async () => (await store.waiting([device.id])).length === 0, { what: 'the device has everything' });

  test('tells a device on another replica of each write, one push a write', async () => {
    const [here, there] = both();
    const link = there.connect(new Link(device));
    await here.share(device, { a: 1, b: { c: 1 } });
    await hasTold(link, 1);
    await here.share(device, { a: null, b: { d: 2 } });
    await hasTold(link, 2);
    expect(link.told).toEqual([
      { version: 1, changed: { a: 1, b: { c: 1 } }, deleted: [] },
      { version: 2, changed: { b: { c: 1, d: 2 } }, deleted: ['a'] },
    ]);
  });

  test('tells a device what it missed once, in order, when it connects, and not again', async () => {
    const [here, there] = both();
    await here.share(device, { a: 1, b: 1 });
    await here.share(device, { c: 1 });
    await here.share(device, { a: 2 });
    const first = there.connect(new Link(device));
    await hasTold(first, 3);
    expect(first.told).toEqual([
      { version: 1, changed: { b: 1 }, deleted: [] },
      { version: 2, changed: { c: 1 }, deleted: [] },
      { version: 3, changed: { a: 2 }, deleted: [] },
    ]);
    await hasAll(here.store);
    there.lose(first);
    const second = here.connect(new Link(device));
    await here.share(device, { d: 1 });
    await hasTold(second, 1);
    expect(second.told).toEqual([{ version: 4, changed: { d: 1 }, deleted: [] }]);
  });

  test('goes on with what a lost link had not acknowledged, on another replica', async () => {
    const [here, there] = both();
    const lost = there.connect(new Link(device, false));
    await here.share(device, { a: 1 });
    await hasTold(lost, 1);
    lost.answer();
    await hasAll(here.store);
    await here.share(device, { b: 1 });
    await here.share(device, { c: 1 });
    await hasTold(lost, 2);
    there.lose(lost);
    const next = here.connect(new Link(device));
    await hasTold(next, 2);
    expect(next.told.map(({ changed }) => changed)).toEqual([{ b: 1 }, { c: 1 }]);
  });

  test('does not wait for a dead link when the device has a newer one', async () => {
    const [here] = both();
    const dead = here.connect(new Link(device, false));
    await here.share(device, { a: 1 });
    await hasTold(dead, 1);
    const alive = here.connect(new Link(device));
    await hasTold(alive, 1);
    expect(alive.told).toEqual(dead.told);
  });

  test('hears of a device that reports, not of one that people write for', async () => {
    const [here] = both();
    await here.share(device, { a: 1 });
    expect(here.heard).toEqual([]);
    await here.attributes.report(device, { c: 1 });
    expect(here.heard).toEqual([device.id]);
  });

  test('sends one push at a time', async () => {
    const [here] = both();
    const link = here.connect(new Link(device, false));
    await here.share(device, { a: 1 });
    await here.share(device, { b: 1 });
    await hasTold(link, 1);
    for (let i = 0; i < 20; i += 1) await turn();
    expect(link.told).toHaveLength(1);
    link.answer();
    await hasTold(link, 2);
    link.answer();
    await hasAll(here.store);
  });

  test('tells a device nothing of other scopes, nor before it is ready', async () => {
    const [here] = both();
    const link = new Link(device);
    here.links.open(link);
    await here.attributes.report(device, { c: 1 });
    await here.attributes.write(device.id, { server: { s: 1 } }, { by: BY });
    await here.share(device, { a: 1 });
    expect(await here.attributes.read(device.id, { client: true, shared: ['a', 'x'] })).toEqual({
      version: 3,
      client: { c: 1 },
      shared: { a: 1 },
    });
    expect(link.told).toEqual([]);
    here.links.ready(link, 'attributes');
    await hasTold(link, 1);
    expect(link.told).toEqual([{ version: 3, changed: { a: 1 }, deleted: [] }]);
  });

  test('loses none of fifty writes at once on two replicas, and the device ends up with all', async () => {
    const [here, there] = both();
    const link = there.connect(new Link(device));
    const keys = Array.from({ length: 50 }, (_, index) => `k${String(index)}`);
    await Promise.all(
      keys.map((key, index) => (index % 2 ? here : there).share(device, { [key]: index, all: { [key]: 1 } })),
    );
    await hasAll(here.store);
    const told: Record<string, unknown> = Object.assign({}, ...link.told.map(({ changed }) => changed));
    expect(told).toEqual({
      ...Object.fromEntries(keys.map((key, index) => [key, index])),
      all: Object.fromEntries(keys.map((key) => [key, 1])),
    });
    const versions = link.told.map(({ version }) => version);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect((await here.attributes.all(device.id)).version).toBe(50);
  });

  test('tells viewers of every scope, and nothing of what changed nothing', async () => {
    const [here, there] = both();
    const seen: AttributesChange[] = [];
    const unwatch = new DeviceEvents(bus).watch(device.id, (event) => {
      if (event.event === 'attributes') seen.push(event.data);
    });
    await there.attributes.report(device, { c: 1 });
    await there.attributes.report(device, { c: 1 });
    await here.attributes.write(device.id, { shared: { a: 1 }, server: { s: 1 } }, { by: BY });
    await waitUntil(() => seen.length === 3, { what: 'viewers were told' });
    unwatch();
    expect(seen.map(({ scope, version }) => [scope, version])).toEqual([
      ['client', 1],
      ['shared', 2],
      ['server', 2],
    ]);
  });

  test('forgets the attributes of a device that is deleted', async () => {
    const [here] = both();
    await here.share(device, { a: 1 });
    new Events(bus, log).publish('registry.device.changed', { change: 'deleted', device });
    await waitUntil(async () => (await here.attributes.all(device.id)).version === 0, { what: 'they are gone' });
  });
}

const opened = (url: string) => dataSourceFor(url, TELEMETRY, TELEMETRY_SCHEMA).initialize();

describe('the twins of two replicas in one process, on SQLite', () => {
  twinSuite(async () => {
    const source = await opened('file::memory:');
    return [source, source];
  });
});

describeWith(['mysql'], 'the twins of two replicas on MySQL', () => {
  twinSuite(async () => {
    const { url } = await freshMysqlDatabase();
    return [await opened(url), await opened(url)];
  });
});
