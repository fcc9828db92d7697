import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { RolloutView, rolloutSubject, type DeviceRef, type RpcSubject, type UserPrincipal } from '#contracts';
import { Events, inProcessBus, RpcClient, type Bus } from '#messaging';
import { uuid7 } from '#platform';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase, waitUntil } from '#testing';
import { AttributeStore } from '../attributes/attribute-store.ts';
import { Attributes } from '../attributes/attributes.service.ts';
import { TELEMETRY } from '../data-source-name.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { DeviceEvents } from '../live/device-events.ts';
import { TELEMETRY_SCHEMA } from '../schema.ts';
import { DeviceFirmwareStore, type Assignment } from './device-firmware-store.ts';
import type { RolloutEntity } from './firmware.entity.ts';
import type { RolloutBody } from './firmware.schemas.ts';
import { FirmwareTelling } from './firmware-telling.ts';
import { Firmware } from './firmware.service.ts';
import { LoadedBytes } from './loaded-bytes.ts';
import { PackageStore } from './package-store.ts';
import { PackageUploads } from './package-uploads.ts';
import { Packages } from './packages.service.ts';
import { ReportQueue } from './report-queue.ts';
import { RolloutNewcomers } from './rollout-newcomers.ts';
import { RolloutProgress } from './rollout-progress.ts';
import { RolloutQueue } from './rollout-queue.ts';
import { RolloutStore } from './rollout-store.ts';
import { RolloutWaker } from './rollout-waker.ts';
import { RolloutWorker } from './rollout-worker.ts';
import { Rollouts } from './rollouts.service.ts';

const log = pino({ level: 'silent' });
const admin: UserPrincipal = { kind: 'user', userId: uuid7(), sessionId: uuid7(), role: 'admin', customerId: null };

/** The devices that the registry knows, by profile and in order of their ids. */
class Registry extends RpcClient {
  readonly devices: DeviceRef[] = [];

  constructor() {
    super({ send: () => undefined } as never);
  }

  add(profileId: string, count: number, customerId: string | null = null): DeviceRef[] {
    const added = Array.from({ length: count }, (): DeviceRef => {
      const id = uuid7();
      return { id, name: id, kind: 'direct', customerId, ownerId: null, masterId: null, state: 'active', profileId };
    });
    this.devices.push(...added);
    return added;
  }

  override call(subject: RpcSubject, request: unknown): Promise<never> {
    if (subject === 'registry.profiles.get') {
      return Promise.resolve({ id: uuid7(), name: 'p', inactivitySeconds: null } as never);
    }
    const { profileId, after = '', limit } = request as { profileId: string; after?: string; limit: number };
    const devices = this.devices.filter((device) => device.profileId === profileId && device.id > after);
    return Promise.resolve({ devices: devices.slice(0, limit) } as never);
  }
}

/** Dies with some of a page assigned, as a process does that is killed: it never lets go of the rollout nor says anything any more. */
class DyingQueue extends RolloutQueue {
  deaths = 0;
  lives = 2;

  override async assign(rollout: RolloutEntity, devices: readonly DeviceRef[]): Promise<Assignment[]> {
    this.lives -= 1;
    if (this.lives >= 0) return super.assign(rollout, devices);
    await super.assign(rollout, devices.slice(0, 77));
    this.deaths += 1;
    return new Promise(() => undefined);
  }

  override renew(id: string): Promise<void> {
    return this.deaths > 0 ? Promise.resolve() : super.renew(id);
  }
}

/** The part of a replica of telemetry that this is about. */
class Replica {
  readonly links: DeviceLinks;
  readonly store: DeviceFirmwareStore;
  readonly rolloutStore: RolloutStore;
  readonly attributes: AttributeStore;
  readonly firmware: Firmware;
  readonly uploads: PackageUploads;
  readonly rollouts: Rollouts;
  readonly queue: RolloutQueue;
  private readonly parts: {
    onApplicationBootstrap?: () => void;
    beforeApplicationShutdown?: () => Promise<void> | void;
    onApplicationShutdown?: () => void;
  }[];

  constructor(dataSource: DataSource, bus: Bus, registry: Registry, now: () => number, Queue = RolloutQueue) {
    this.links = new DeviceLinks(bus);
    this.attributes = new AttributeStore(dataSource, now);
    const events = new Events(bus, log);
    const live = new DeviceEvents(bus);
    const attributes = new Attributes(this.attributes, this.links, live, events, { heard: () => undefined }, log);
    const packages = new PackageStore(dataSource, now);
    this.store = new DeviceFirmwareStore(dataSource, this.attributes, packages, now);
    this.rolloutStore = new RolloutStore(dataSource, now);
    const waker = new RolloutWaker(bus);
    const progress = new RolloutProgress(this.rolloutStore, waker, bus, log);
    const telling = new FirmwareTelling(attributes, live, progress);
    const loaded = new LoadedBytes(this.store, telling, log);
    const reports = new ReportQueue(log);
    this.firmware = new Firmware(packages, this.store, loaded, telling, reports);
    this.uploads = new PackageUploads(packages, 1_000_000, now);
    this.queue = new Queue(dataSource, this.store, packages, uuid7(), now, log);
    this.rollouts = new Rollouts(this.rolloutStore, new Packages(packages), progress, waker, registry, now);
    const { queue, store, rolloutStore, links } = this;
    this.parts = [
      waker,
      attributes,
      loaded,
      reports,
      progress,
      new RolloutWorker(queue, rolloutStore, store, progress, telling, waker, registry, log, now),
      new RolloutNewcomers(links, events, waker, rolloutStore, queue, store, telling, log, now),
    ];
    for (const part of this.parts) part.onApplicationBootstrap?.();
  }

  async newPackage(version: string, caller = admin, title = 'Boiler'): Promise<string> {
    const file = Readable.from([randomBytes(10)]);
    const query = { kind: 'firmware', title, version, sha256: undefined } as const;
    return (await this.uploads.receive(caller, query, file)).package.id;
  }

  async stop(): Promise<void> {
    for (const part of this.parts) if (part instanceof RolloutWorker) await part.beforeApplicationShutdown();
    for (const part of this.parts) if (!(part instanceof RolloutWorker)) await part.beforeApplicationShutdown?.();
    for (const part of this.parts) part.onApplicationShutdown?.();
  }
}

function rolloutsSuite(open: () => Promise<DataSource[]>): void {
  let sources: DataSource[];
  let bus: Bus;
  let registry: Registry;
  let profile: string;
  let ahead: number;
  let replicas: Replica[];
  let titles = 0;

  beforeAll(async () => {
    sources = await open();
    for (const source of sources) await migrate(source);
  });
  afterAll(async () => {
    for (const source of new Set(sources)) await source.destroy();
  });
  beforeEach(() => {
    bus = inProcessBus(log);
    registry = new Registry();
    profile = uuid7();
    ahead = 0;
    replicas = [];
    titles += 1;
  });
  afterEach(async () => {
    for (const replica of replicas) await replica.stop();
    await Promise.all(
      sources.map((source) =>
        source.query("UPDATE firmware_rollouts SET state = 'cancelled', to_scan = 0, to_withdraw = 0"),
      ),
    );
  });

  const now = () => Date.now() + ahead;
  const newReplica = (which = 0, Queue = RolloutQueue): Replica => {
    const source = sources[which];
    if (!source) throw new Error('there is no such data source');
    const replica = new Replica(source, bus, registry, now, Queue);
    if (Queue === RolloutQueue) replicas.push(replica);
    return replica;
  };
  const start = async (replica: Replica, body: Partial<RolloutBody> = {}, caller = admin): Promise<RolloutView> => {
    const of = body.package ?? (await replica.newPackage('1', admin, `Boiler ${String(titles)}`));
    return replica.rollouts.start(caller, {
      profile,
      percent: 100,
      stopPercent: 50,
      stopAfter: 3,
      ...body,
      package: of,
    });
  };
  const settled = (replica: Replica, id: string) =>
    waitUntil(
      async () => {
        const rollout = await replica.rolloutStore.find(id);
        return rollout && !rollout.toScan && !rollout.toWithdraw && (await replica.rollouts.get(admin, id));
      },
      { what: 'all devices were looked at', timeoutMs: 60_000 },
    );
  const reach = (replica: Replica, id: string, wanted: Partial<RolloutView>) =>
    waitUntil(
      async () => {
        const view = await replica.rollouts.get(admin, id);
        return Object.entries(wanted).every(([key, value]) => Reflect.get(view, key) === value) && view;
      },
      { what: `the rollout is ${JSON.stringify(wanted)}` },
    );
  const having = async (replica: Replica, devices: readonly DeviceRef[]): Promise<string[]> => {
    const rows = await replica.store.rowsOf(
      devices.map(({ id }) => id),
      'firmware',
    );
    return [...rows.values()].flatMap(({ deviceId, packageId }) => (packageId === null ? [] : deviceId));
  };
  const say = (replica: Replica, device: DeviceRef | undefined, state: string) => {
    if (device) replica.firmware.reported(device, { fw_state: state });
  };

  test('a rollout of 1,000 devices whose worker dies in the middle gives each of them the package once', async () => {
    const devices = registry.add(profile, 1_000);
    const dying = newReplica(0, DyingQueue);
    const rollout = await start(dying);
    await waitUntil(() => dying.queue instanceof DyingQueue && dying.queue.deaths === 1, {
      what: 'it has died',
      timeoutMs: 60_000,
    });
    expect((await having(dying, devices)).length).toBe(477);
    ahead = 20_000;
    const next = newReplica(1);
    const view = await settled(next, rollout.id);
    expect(view).toMatchObject({ state: 'running', assigned: 1_000, inProgress: 0, updated: 0, failed: 0 });
    expect(await having(next, devices)).toHaveLength(1_000);
    const twins = await Promise.all(devices.map(({ id }) => next.attributes.version(id)));
    expect(new Set(twins)).toEqual(new Set([1]));
  }, 90_000);

  test('a share is of devices that a larger share has too', async () => {
    const replica = newReplica();
    const devices = registry.add(profile, 400);
    const rollout = await start(replica, { percent: 10 });
    await settled(replica, rollout.id);
    const few = await having(replica, devices);
    expect(few.length).toBeGreaterThan(10);
    expect(few.length).toBeLessThan(90);
    await replica.rollouts.raise(admin, rollout.id, 50);
    await settled(replica, rollout.id);
    const half = await having(replica, devices);
    expect(half).toEqual(expect.arrayContaining(few));
    expect(half.length).toBeGreaterThan(140);
    await expect(replica.rollouts.raise(admin, rollout.id, 20)).rejects.toMatchObject({ code: 'CONFLICT' });
    await replica.rollouts.raise(admin, rollout.id, 100);
    expect(await settled(replica, rollout.id)).toMatchObject({ assigned: 400 });
  }, 60_000);

  test('a rollout of which too much fails stops by itself: who has not begun loses it, nobody gets it any more', async () => {
    const [replica, other] = [newReplica(0), newReplica(1)];
    const devices = registry.add(profile, 20);
    const rollout = await start(replica, { stopAfter: 3, stopPercent: 50 });
    await reach(replica, rollout.id, { assigned: 20 });
    const seen: RolloutView[] = [];
    const unsubscribe = bus.subscribe(rolloutSubject(rollout.id), (text) => {
      seen.push(RolloutView.parse(JSON.parse(text)));
    });
    for (const device of devices.slice(0, 2)) say(replica, device, 'UPDATED');
    say(replica, devices[2], 'DOWNLOADING');
    for (const device of devices.slice(3, 5)) say(other, device, 'FAILED');
    await reach(replica, rollout.id, { updated: 2, failed: 2, inProgress: 1, state: 'running' });
    say(other, devices[5], 'FAILED');
    await reach(other, rollout.id, { state: 'stopped', assigned: 6, updated: 2, failed: 3, inProgress: 1 });
    await settled(replica, rollout.id);
    expect((await having(other, devices)).sort()).toEqual(devices.slice(0, 6).map(({ id }) => id));
    expect(await replica.attributes.find(devices[10]?.id ?? '')).toEqual([]);
    expect(await replica.attributes.find(devices[2]?.id ?? '')).toHaveLength(5);
    await expect(replica.rollouts.raise(admin, rollout.id, 100)).rejects.toMatchObject({ code: 'ROLLOUT_ENDED' });
    say(replica, devices[2], 'UPDATED');
    await reach(other, rollout.id, { updated: 3, inProgress: 0 });
    await waitUntil(() => seen.at(-1)?.state === 'stopped' && seen.at(-1)?.updated === 3, {
      what: 'viewers were told',
    });
    expect(seen.at(-1)?.message).toMatch(/3 of 5 devices/);
    unsubscribe();
  });

  test('a device without room for the attributes of the package is left out, and keeps nobody waiting', async () => {
    const replica = newReplica();
    const devices = registry.add(profile, 5);
    const full = Object.fromEntries(Array.from({ length: 998 }, (_, index) => [`k${String(index)}`, index]));
    await replica.attributes.write(devices[1]?.id ?? '', { client: full }, { by: null });
    const rollout = await start(replica);
    expect(await settled(replica, rollout.id)).toMatchObject({ assigned: 4 });
    expect(await having(replica, devices.slice(1, 2))).toEqual([]);
  });

  test('few failures do not stop it, and it is done once every device has ended', async () => {
    const replica = newReplica();
    const devices = registry.add(profile, 10);
    const rollout = await start(replica, { stopAfter: 3, stopPercent: 50 });
    await reach(replica, rollout.id, { assigned: 10 });
    for (const device of devices.slice(0, 2)) say(replica, device, 'FAILED');
    for (const device of devices.slice(2)) say(replica, device, 'UPDATED');
    await reach(replica, rollout.id, { state: 'done', updated: 8, failed: 2 });
    say(replica, devices[0], 'DOWNLOADING');
    say(replica, devices[0], 'UPDATED');
    await reach(replica, rollout.id, { updated: 9, failed: 1 });
  });

  test('devices that are made later or connect later are taken in', async () => {
    const replica = newReplica();
    const [first] = registry.add(profile, 1);
    const rollout = await start(replica);
    await reach(replica, rollout.id, { assigned: 1 });
    say(replica, first, 'UPDATED');
    await reach(replica, rollout.id, { state: 'done' });
    const [made] = registry.add(profile, 1);
    if (!made) throw new Error('a device was made');
    new Events(bus, log).publish('registry.device.changed', { change: 'created', device: made });
    await reach(replica, rollout.id, { state: 'running', assigned: 2 });
    const other: DeviceRef = { ...made, id: uuid7() };
    const link = { id: uuid7(), device: other, via: 'socket' } as never;
    replica.links.open(link);
    replica.links.ready(link, 'attributes');
    await reach(replica, rollout.id, { assigned: 3 });
    replica.links.close(link, 'end');
  });

  test('a later choice wins: of a person over a rollout, of a rollout over what was before it', async () => {
    const replica = newReplica();
    const devices = registry.add(profile, 4);
    const [one, two, three] = devices;
    if (!one || !two || !three) throw new Error('there are devices');
    const title = `Later ${String(titles)}`;
    const versions = await Promise.all(['1', '2', '3'].map((version) => replica.newPackage(version, admin, title)));
    const [v1 = '', v2 = '', v3 = ''] = versions;
    await replica.store.assign(one.id, v3, admin.userId);
    const first = await start(replica, { package: v1 });
    await reach(replica, first.id, { assigned: 4 });
    say(replica, two, 'UPDATED');
    await reach(replica, first.id, { updated: 1 });
    await replica.store.assign(three.id, v3, admin.userId);
    const second = await start(replica, { package: v2 });
    await reach(replica, second.id, { assigned: 4 });
    expect(await replica.rollouts.get(admin, first.id)).toMatchObject({ assigned: 4, updated: 1, inProgress: 0 });
    await replica.store.unassign(three.id, 'firmware', admin.userId);
    await replica.rollouts.cancel(admin, first.id);
    await settled(replica, first.id);
    new Events(bus, log).publish('registry.device.changed', { change: 'updated', device: three });
    expect(await replica.firmware.assigned(two.id, 'firmware')).toMatchObject({ version: '2' });
    await replica.rollouts.cancel(admin, second.id);
    await settled(replica, second.id);
    expect(await having(replica, devices)).toEqual([]);
    await expect(replica.rollouts.cancel(admin, second.id)).rejects.toMatchObject({ code: 'ROLLOUT_ENDED' });
  });

  test("an operator's rollout is of their customer's devices, and for their eyes", async () => {
    const replica = newReplica();
    const customerId = uuid7();
    const operator: UserPrincipal = { ...admin, role: 'operator', customerId };
    const own = registry.add(profile, 3, customerId);
    const others = [...registry.add(profile, 3, uuid7()), ...registry.add(profile, 3)];
    const rollout = await start(replica, {}, operator);
    await settled(replica, rollout.id);
    expect((await having(replica, own)).length).toBe(3);
    expect(await having(replica, others)).toEqual([]);
    const stranger = { ...operator, customerId: uuid7() };
    await expect(replica.rollouts.get(stranger, rollout.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(replica.rollouts.cancel(stranger, rollout.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await replica.rollouts.list(operator, { limit: 10 })).items.map(({ id }) => id)).toEqual([rollout.id]);
    const nobodys = { ...operator, customerId: null };
    await expect(start(replica, { package: rollout.package }, nobodys)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const secret = await replica.newPackage('secret', stranger);
    await expect(start(replica, { package: secret }, operator)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
}

const opened = (url: string) => dataSourceFor(url, TELEMETRY, TELEMETRY_SCHEMA).initialize();

describe('rollouts of two replicas in one process, on SQLite', () => {
  rolloutsSuite(async () => {
    const source = await opened('file::memory:');
    return [source, source];
  });
});

describeWith(['mysql'], 'rollouts of two replicas on MySQL', () => {
  rolloutsSuite(async () => {
    const { url } = await freshMysqlDatabase();
    return [await opened(url), await opened(url)];
  });
});
