import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import type { CommandView, DeviceEvent, DeviceRef, ErrorBody, UserPrincipal } from '#contracts';
import { Events, inProcessBus, MessagingModule, BUS, type Bus } from '#messaging';
import { Metrics, PlatformModule, uuid7 } from '#platform';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase, freshNats, waitUntil } from '#testing';
import { Test, type TestingModule } from '@nestjs/testing';
import type { DeviceAccess } from '../authorise/device-access.ts';
import { TELEMETRY } from '../data-source-name.ts';
import type { DeviceLink } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { Replica } from '../link/replica.ts';
import { DeviceEvents } from '../live/device-events.ts';
import { TELEMETRY_SCHEMA } from '../schema.ts';
import { CommandDelivery } from './command-delivery.ts';
import { CommandHousekeeping } from './command-housekeeping.ts';
import type { CommandOutcome } from './command-state.ts';
import { CommandSteps } from './command-steps.ts';
import { CommandStore } from './command-store.ts';
import { CommandWaiters } from './command-waiters.ts';
import type { CommandEntity } from './command.entity.ts';
import { SendCommand } from './command.schemas.ts';
import { CommandMetrics } from './commands.metrics.ts';
import { Commands } from './commands.service.ts';

const log = pino({ level: 'silent' });
const caller: UserPrincipal = {
  kind: 'user',
  userId: uuid7(),
  sessionId: uuid7(),
  role: 'user',
  customerId: null,
};

const deviceRef = (id: string): DeviceRef => ({
  id,
  name: 'd',
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId: null,
  state: 'active',
});

/** Everybody may do everything: rights are the registry's. */
const access = {
  authorise: (_: unknown, id: string) => Promise.resolve(deviceRef(id)),
} as unknown as DeviceAccess;

/** The services of commands as one replica has them. */
class TestReplica {
  readonly replica: Replica;
  readonly links: DeviceLinks;
  readonly live: DeviceEvents;
  readonly store: CommandStore;
  readonly steps: CommandSteps;
  readonly commands: Commands;
  readonly housekeeping: CommandHousekeeping;
  private readonly delivery: CommandDelivery;
  private readonly waiters: CommandWaiters;

  constructor(dataSource: DataSource, bus: Bus) {
    this.replica = new Replica(bus);
    this.links = new DeviceLinks(bus);
    this.live = new DeviceEvents(bus);
    this.store = new CommandStore(dataSource, Date.now);
    const metrics = new CommandMetrics(new Metrics(), this.links);
    this.steps = new CommandSteps(this.store, this.live, this.replica, metrics, log);
    this.delivery = new CommandDelivery(this.links, this.store, this.steps, this.replica, bus, Date.now, log);
    this.waiters = new CommandWaiters(this.replica, this.links, bus);
    this.commands = new Commands(
      this.store,
      this.steps,
      this.delivery,
      this.waiters,
      this.links,
      this.live,
      access,
      metrics,
      this.replica,
      Date.now,
    );
    this.housekeeping = new CommandHousekeeping(
      this.store,
      this.steps,
      new Events(bus, log),
      86_400_000,
      Date.now,
      log,
    );
  }

  start(): void {
    this.replica.onApplicationBootstrap();
    this.delivery.onApplicationBootstrap();
    this.waiters.onApplicationBootstrap();
  }

  async stop(): Promise<void> {
    this.waiters.beforeApplicationShutdown();
    await this.steps.beforeApplicationShutdown();
    this.delivery.onApplicationShutdown();
    this.replica.onApplicationShutdown();
  }

  send(device: string, request: Partial<SendCommand>, key: string | null = null) {
    return this.commands.send(caller, device, SendCommand.parse({ method: 'm', ...request }), key);
  }
}

type Answer = (command: CommandView) => CommandOutcome | undefined;

/** A device on one replica: it has each command once it is sent, and answers those that it has an answer to. */
class TestLink implements DeviceLink {
  readonly id = uuid7();
  readonly device: DeviceRef;
  readonly via = 'socket';
  readonly address = '192.0.2.1';
  readonly protocol = 'test';
  readonly clientId = null;
  readonly lastSeen = 0;
  readonly got: CommandView[] = [];

  constructor(
    private readonly at: TestReplica,
    id: string,
    private readonly answer: Answer,
    private readonly takes = true,
  ) {
    this.device = deviceRef(id);
  }

  open(): this {
    this.at.links.open(this);
    this.at.links.ready(this, 'commands');
    return this;
  }

  end(): void {
    this.at.links.close(this, 'gone');
  }

  async sendCommand(command: CommandView, delivered: () => void): Promise<void> {
    if (!this.takes) throw new Error('the link has ended');
    this.got.push(command);
    const outcome = this.answer(command);
    if (!outcome) return;
    delivered();
    await this.at.commands.answer(this.device.id, { number: command.number }, outcome);
  }

  sendAttributes(): Promise<void> {
    return Promise.resolve();
  }

  close(_reason: ErrorBody): void {
    this.end();
  }
}

const echo: Answer = ({ params }) => ({ ok: true, result: params });
const silence: Answer = () => undefined;

/** What two replicas have in common, or each for itself. */
interface Ground {
  dataSources: [DataSource, DataSource];
  buses: [Bus, Bus];
  end(): Promise<void>;
}

function commandsSuite(ground: () => Promise<Ground>): void {
  let common: Ground;
  let here: TestReplica;
  let there: TestReplica;
  let device: string;

  beforeAll(async () => {
    common = await ground();
    await migrate(common.dataSources[0]);
    here = new TestReplica(common.dataSources[0], common.buses[0]);
    there = new TestReplica(common.dataSources[1], common.buses[1]);
    here.start();
    there.start();
  });
  afterAll(async () => {
    await Promise.all([here.stop(), there.stop()]);
    await common.end();
  });
  beforeEach(() => {
    device = uuid7();
  });

  const links: TestLink[] = [];
  const linkOf = (at: TestReplica, answer: Answer, takes?: boolean): TestLink => {
    const link = new TestLink(at, device, answer, takes);
    links.push(link);
    return link;
  };
  afterEach(() => {
    for (const link of links.splice(0)) link.end();
  });

  const all = async () => (await here.store.page(device, { limit: 1_000 })).items;
  const statusOf = async (id: string) => (await here.store.find(device, id))?.status;
  const refusal = (code: string) => expect.objectContaining({ code });
  /** The other replica knows of the link by then. */
  const isReached = (link: TestLink, from: TestReplica) =>
    waitUntil(
      async () => {
        const { length } = link.got;
        await from.send(device, { timeoutMs: 200 }).catch(() => undefined);
        return link.got.length > length;
      },
      { what: 'the replica reaches the device' },
    );

  test('brings a command to a device on the other replica, and its answer back', async () => {
    const link = linkOf(there, echo).open();
    await isReached(link, here);
    const answer = await here.send(device, { method: 'light', params: { on: true, words: 'ü "' }, timeoutMs: 60_000 });
    expect(answer).toEqual({ id: expect.any(String), status: 'succeeded', result: { on: true, words: 'ü "' } });
    expect(link.got.at(-1)).toMatchObject({ id: answer.id, method: 'light', params: { on: true }, device });
    const [row] = await all();
    expect(row).toMatchObject({ id: answer.id, status: 'succeeded', persist: false });
    for (const time of [row?.sentAt, row?.deliveredAt, row?.finishedAt]) expect(time).toBeInstanceOf(Date);
  });

  test('brings a command to a device on the same replica, and what it failed with back', async () => {
    linkOf(here, () => ({ ok: false, error: 'no such light' })).open();
    const answer = await here.send(device, {});
    expect(answer).toEqual({ id: expect.any(String), status: 'failed', error: 'no such light' });
  });

  test.each([null, 'text', '"quoted"', 0, false, [], [null], {}, { nested: [{ a: null }] }])(
    'gives and takes %j as it is',
    async (value) => {
      const link = linkOf(here, echo).open();
      expect(await here.send(device, { params: value })).toMatchObject({ result: value });
      expect(link.got[0]?.params).toEqual(value);
      expect((await all())[0]).toMatchObject({ params: value, result: value });
    },
  );

  test('keeps no answer that is too large or cannot be kept, and says so', async () => {
    linkOf(here, () => ({ ok: true, result: ['\ud800'] })).open();
    expect(await here.send(device, {})).toMatchObject({ status: 'failed', error: expect.stringContaining('half') });
  });

  test('says that a device is offline, and keeps nothing', async () => {
    await expect(here.send(device, {}, 'a key')).rejects.toEqual(refusal('DEVICE_OFFLINE'));
    linkOf(there, echo, false).open();
    expect(await all()).toEqual([]);
  });

  test('says that a device is offline when it is gone just as the command is sent', async () => {
    linkOf(here, echo, false).open();
    await expect(here.send(device, {})).rejects.toEqual(refusal('DEVICE_OFFLINE'));
    expect(await all()).toMatchObject([{ status: 'expired' }]);
  });

  test('waits no longer than it is to; an answer after that changes nothing', async () => {
    const link = linkOf(there, silence).open();
    await isReached(link, here);
    await expect(here.send(device, { timeoutMs: 300 })).rejects.toEqual(refusal('DEVICE_TIMEOUT'));
    const late = link.got.at(-1)?.number ?? 0;
    await there.commands.answer(device, { number: late }, { ok: true, result: 'late' });
    expect((await all())[0]).toMatchObject({ number: late, status: 'timed-out', result: null });
  });

  test('takes an answer from the device alone, by a number or an id that there is', async () => {
    linkOf(here, silence).open();
    const waiting = here.send(device, { timeoutMs: 60_000 });
    await waitUntil(async () => (await all()).length === 1, { what: 'the command is kept' });
    const [row] = await all();
    const outcome = { ok: true, result: 'mine' } as const;
    const id = row?.id ?? '';
    await here.commands.answer(uuid7(), { id }, { ok: true, result: 'not mine' });
    for (const which of [{ number: 0 }, { number: 99 }, { number: Number.NaN }, { number: 2 ** 40 }, { id: 'x' }]) {
      await here.commands.answer(device, which, outcome);
    }
    expect(await statusOf(id)).not.toBe('succeeded');
    await there.commands.answer(device, { id }, outcome);
    expect(await waiting).toEqual({ id, status: 'succeeded', result: 'mine' });
  });

  test('has one end when both replicas race for it, fifty times', async () => {
    linkOf(here, silence).open();
    for (let round = 0; round < 50; round += 1) {
      const { command } = (await here.store.keep([newCommand()]))[0] ?? {};
      const id = command?.id ?? '';
      const at = Date.now();
      const ends = await Promise.all([
        here.steps.take({ id, deviceId: device, kind: 'cancelled', at }),
        there.steps.take({ id, deviceId: device, kind: 'answered', outcome: { ok: true, result: round }, at }),
        here.steps.take({ id, deviceId: device, kind: 'overdue', at: at + 99_999_999 }),
        there.steps.take({ id, deviceId: device, kind: 'cancelled', at }),
      ]);
      expect(ends.filter(({ changed }) => changed)).toHaveLength(1);
      const end = ends.find(({ changed }) => changed)?.command?.status;
      expect(await statusOf(id)).toBe(end);
    }
  });

  test('numbers the commands of a device from 1 without a gap, whichever replica takes them', async () => {
    const commands = Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? here : there).send(device, { persist: true }));
    await Promise.all(commands);
    expect((await all()).map(({ number }) => number)).toEqual(Array.from({ length: 60 }, (_, n) => 60 - n));
  });

  test('makes one command of an idempotency key, fifty times at once on two replicas', async () => {
    const link = linkOf(there, echo).open();
    await isReached(link, here);
    const before = link.got.length;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? here : there).send(device, { params: 1 }, 'key')),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['succeeded']));
    expect(link.got).toHaveLength(before + 1);
    link.end();
    expect(await here.send(device, { params: 1 }, 'key')).toEqual(answers[0]);
    await expect(here.send(device, { params: 2 }, 'key')).rejects.toEqual(refusal('IDEMPOTENCY_KEY_REUSED'));
    await expect(there.send(device, { params: 1, persist: true }, 'key')).rejects.toEqual(
      refusal('IDEMPOTENCY_KEY_REUSED'),
    );
  });

  test('keeps what is to be kept for a device that is away, and sends it in order, once, when it is back', async () => {
    const ids: string[] = [];
    for (let n = 1; n <= 120; n += 1) {
      const kept = await (n % 2 === 0 ? here : there).send(device, { params: n, persist: true });
      expect(kept.status).toBe('queued');
      ids.push(kept.id);
    }
    const link = linkOf(there, echo).open();
    await waitUntil(async () => (await all()).every(({ status }) => status === 'succeeded'), {
      what: 'all are answered',
    });
    expect(link.got.map(({ id }) => id)).toEqual(ids);
    expect(link.got.map(({ params }) => params)).toEqual(ids.map((_, index) => index + 1));
  });

  test('sends what is to be kept at once to a device that is there, from either replica', async () => {
    const link = linkOf(there, echo).open();
    await isReached(link, here);
    for (const at of [here, there]) {
      const { id } = await at.send(device, { persist: true });
      await waitUntil(async () => (await statusOf(id)) === 'succeeded', { what: 'it is answered' });
    }
  });

  test('sends what was sent, but never arrived, again over the next link, known by its id; what has arrived, not', async () => {
    const lost = linkOf(here, silence).open();
    const { id } = await here.send(device, { params: 'lost', persist: true });
    await waitUntil(() => lost.got.length === 1, { what: 'it is sent' });
    const { id: arrived } = await here.send(device, { params: 'arrived', persist: true });
    here.commands.delivered(device, arrived);
    await waitUntil(async () => (await statusOf(arrived)) === 'delivered', { what: 'it is known to be delivered' });
    lost.end();
    const next = linkOf(there, echo).open();
    await waitUntil(async () => (await statusOf(id)) === 'succeeded', { what: 'it is answered' });
    expect(next.got.map(({ id: sent }) => sent)).toEqual([id]);
    await there.commands.answer(device, { id: arrived }, { ok: true, result: null });
    expect(await statusOf(arrived)).toBe('succeeded');
  });

  test('sends what is kept over one of two links that are ready at the same time on two replicas', async () => {
    await here.send(device, { persist: true });
    const [one, other] = [linkOf(here, echo), linkOf(there, echo)];
    other.open();
    one.open();
    await waitUntil(async () => (await all()).every(({ status }) => status === 'succeeded'), {
      what: 'it is answered',
    });
    expect(one.got.length + other.got.length).toBeGreaterThanOrEqual(1);
    expect(new Set([...one.got, ...other.got].map(({ id }) => id)).size).toBe(1);
  });

  test('cancels what has not ended, and what is cancelled is not sent', async () => {
    const { id } = await here.send(device, { persist: true });
    expect(await there.commands.cancel(caller, device, id)).toMatchObject({ id, status: 'cancelled' });
    await expect(here.commands.cancel(caller, device, id)).rejects.toEqual(refusal('COMMAND_ENDED'));
    await expect(here.commands.cancel(caller, device, uuid7())).rejects.toEqual(refusal('NOT_FOUND'));
    await expect(here.commands.cancel(caller, uuid7(), id)).rejects.toEqual(refusal('NOT_FOUND'));
    const link = linkOf(here, echo).open();
    await here.send(device, {});
    expect(link.got.map((command) => command.id)).not.toContain(id);
  });

  test('tells whoever waits that the command was cancelled', async () => {
    const link = linkOf(here, silence).open();
    const waiting = here.send(device, { timeoutMs: 60_000 });
    await waitUntil(() => link.got.length === 1, { what: 'it is sent' });
    await there.commands.cancel(caller, device, link.got[0]?.id ?? '');
    await expect(waiting).rejects.toEqual(refusal('COMMAND_ENDED'));
  });

  test('ends what nobody ended in time, whatever became of the replica that waited for it', async () => {
    const past = new Date(Date.now() - 60_000);
    const old = { createdAt: past, expiresAt: past };
    const kept = await here.store.keep([newCommand({ ...old, persist: true }), newCommand({ ...old, asker: uuid7() })]);
    const ids = kept.map(({ command }) => command.id);
    await there.steps.take({ id: ids[1] ?? '', deviceId: device, kind: 'sent', link: uuid7(), at: past.getTime() });
    await Promise.all([here.housekeeping.sweep(), there.housekeeping.sweep()]);
    expect(await Promise.all(ids.map(statusOf))).toEqual(['expired', 'timed-out']);
    const link = linkOf(here, echo).open();
    await here.send(device, {});
    expect(link.got).toHaveLength(1);
  });

  test('lists the commands of a device, newest first, by status, page by page', async () => {
    for (let n = 0; n < 5; n += 1) await here.send(device, { params: n, persist: true });
    const [newest] = await all();
    await here.commands.cancel(caller, device, newest?.id ?? '');
    const first = await here.commands.list(caller, device, { limit: 3, status: 'queued' });
    expect(first.items.map(({ params }) => params)).toEqual([3, 2, 1]);
    const cursor = first.nextCursor ?? '';
    const second = await here.commands.list(caller, device, { limit: 3, status: 'queued', cursor });
    expect(second).toMatchObject({ items: [{ params: 0 }], nextCursor: null });
    expect(await here.commands.get(caller, device, newest?.id ?? '')).toMatchObject({ status: 'cancelled' });
    await expect(here.commands.list(caller, device, { limit: 3, cursor: 'x' })).rejects.toEqual(
      refusal('INVALID_INPUT'),
    );
  });

  test('tells viewers on every replica how a command goes on', async () => {
    const heard: DeviceEvent[] = [];
    const stop = there.live.watch(device, (event) => heard.push(event));
    const link = linkOf(here, silence).open();
    await waitUntil(
      async () => {
        const { id } = await here.send(device, { persist: true });
        await here.commands.cancel(caller, device, id);
        return heard.length > 0;
      },
      { what: 'the viewer is heard of' },
    );
    const waiting = here.send(device, { timeoutMs: 60_000 });
    const statuses = () =>
      heard.map(({ data }) => ('id' in data && data.id === link.got.at(-1)?.id ? data.status : ''));
    await waitUntil(() => statuses().includes('sent'), { what: 'it is told that it was sent' });
    await here.commands.answer(device, { id: link.got.at(-1)?.id ?? '' }, { ok: true, result: 1 });
    await waiting;
    await waitUntil(() => statuses().includes('succeeded'), { what: 'it is told that it succeeded' });
    expect(statuses().filter((status) => status !== '')).toEqual(['queued', 'sent', 'succeeded']);
    stop();
  });

  test('while the database is away nothing is sent, and a device that answers is to answer again', async () => {
    const link = linkOf(here, silence).open();
    const { store } = here;
    const [keep, step] = [store.keep.bind(store), store.step.bind(store)];
    const away = () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    store.keep = away;
    await expect(here.send(device, {})).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(link.got).toEqual([]);
    store.keep = keep;
    const waiting = here.send(device, { timeoutMs: 60_000 });
    await waitUntil(() => link.got.length === 1, { what: 'it is sent' });
    const id = link.got[0]?.id ?? '';
    const outcome = { ok: true, result: 'kept' } as const;
    store.step = away;
    await expect(here.commands.answer(device, { id }, outcome)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    store.step = step;
    await here.commands.answer(device, { id }, outcome);
    expect(await waiting).toMatchObject({ status: 'succeeded', result: 'kept' });
  });

  test('what could not be looked for is looked for again, and sent', async () => {
    const { id } = await there.send(device, { params: 1, persist: true });
    const { store } = here;
    const waitingFor = store.waitingFor.bind(store);
    let failed = 0;
    store.waitingFor = () => {
      failed += 1;
      return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    };
    const link = linkOf(here, echo).open();
    await waitUntil(() => failed > 0, { what: 'the database was found to be away' });
    store.waitingFor = waitingFor;
    await waitUntil(async () => (await statusOf(id)) === 'succeeded', { what: 'it is answered' });
    expect(link.got.map((command) => command.id)).toEqual([id]);
  });

  test('deletes commands that ended long ago, and those of a device that is no more', async () => {
    const long = Date.now() - 40 * 86_400_000;
    const row = newCommand({ createdAt: new Date(long), id: uuidAt(long) });
    const open = newCommand({ createdAt: new Date(long), id: uuidAt(long + 1) });
    await here.store.keep([row, open, newCommand()]);
    await here.steps.take({ id: row.id, deviceId: device, kind: 'cancelled', at: long });
    await here.store.prune(Date.now() - 30 * 86_400_000);
    const left = (await all()).map(({ id }) => id);
    expect([left.includes(row.id), left.includes(open.id), left.length]).toEqual([false, true, 2]);
    await here.store.forget(device);
    expect(await all()).toEqual([]);
  });

  function newCommand(more: Partial<CommandEntity> = {}) {
    const { id, createdAt } = here.store.birth();
    return {
      id,
      deviceId: device,
      method: 'm',
      params: null,
      persist: false,
      idempotencyKey: null,
      requestHash: null,
      createdBy: caller.userId,
      asker: null,
      createdAt,
      expiresAt: new Date(createdAt.getTime() + 60_000),
      ...more,
    };
  }
}

/** A UUID version 7 of an earlier time. */
const uuidAt = (time: number): string => {
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}${uuid7().slice(13)}`;
};

describe('commands within a process', () => {
  commandsSuite(async () => {
    const dataSource = await dataSourceFor('file::memory:', TELEMETRY, TELEMETRY_SCHEMA).initialize();
    const bus = inProcessBus(log);
    return {
      dataSources: [dataSource, dataSource],
      buses: [bus, bus],
      end: () => dataSource.destroy(),
    };
  });
});

describeWith(['mysql', 'nats'], 'commands over NATS and MySQL', () => {
  commandsSuite(async () => {
    const { url } = await freshMysqlDatabase();
    const { url: natsUrl } = await freshNats();
    const messaging = (): Promise<TestingModule> =>
      Test.createTestingModule({
        imports: [PlatformModule.forRoot(log), MessagingModule.forRoot({ service: 'test', natsUrl })],
      })
        .compile()
        .then((module) => module.init());
    const modules = [await messaging(), await messaging()] as const;
    const dataSource = () => dataSourceFor(url, TELEMETRY, TELEMETRY_SCHEMA).initialize();
    const dataSources: [DataSource, DataSource] = [await dataSource(), await dataSource()];
    return {
      dataSources,
      buses: [modules[0].get<Bus>(BUS), modules[1].get<Bus>(BUS)],
      end: async () => {
        await Promise.all(dataSources.map((source) => source.destroy()));
        await Promise.all(modules.map((module) => module.close()));
      },
    };
  });
});
