import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CodedError } from '#contracts';
import { FakeClock } from '../test/fake-clock.ts';
import { FakeMqttPlatform } from '../test/fake-mqtt-platform.ts';
import { FakePlatform } from '../test/fake-platform.ts';
import { type Arrival, type Answer, type Platform, receipt } from '../test/platform.ts';
import { until } from '../test/until.ts';
import { type DeviceOptions, FieldlineDevice } from './device.ts';
import { tokenOf } from './link/credentials.ts';
import { MemoryOutbox } from './outbox/memory-outbox.ts';

/** A repeatable source of numbers in [0, 1) (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const temperatures = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ sensor: 'temperature', value: from + i }));

const transports: [string, (port?: number) => Platform][] = [
  ['socket.io', (port) => new FakePlatform(port)],
  ['MQTT', (port) => new FakeMqttPlatform(port)],
];

describe.each(transports)('a device over %s', (_, createPlatform) => {
  let platform: Platform;
  let clock: FakeClock;
  let devices: FieldlineDevice[];

  const create = (options: Partial<DeviceOptions> = {}) => {
    const device = new FieldlineDevice({ ...platform.options, token: 'good', clock, random: () => 0.5, ...options });
    devices.push(device);
    return device;
  };
  const connected = async (options: Partial<DeviceOptions> = {}) => {
    const device = create(options);
    const up = new Promise((resolve) => device.once('connected', () => resolve(undefined)));
    await device.connect();
    await up;
    return device;
  };
  /** Flushes while the clock moves. */
  const flush = async (device: FieldlineDevice, stepMs = 20) => {
    let settled = false;
    void device.flush().then(() => (settled = true));
    await until('everything is settled', () => settled, clock, stepMs);
  };
  const refuse = (code: string, extra: { retryAfterMs?: number } = {}) =>
    ({ ok: false, code, message: 'No.', ...extra }) as const;

  beforeEach(async () => {
    clock = new FakeClock();
    devices = [];
    platform = await createPlatform().start();
    platform.behave = (arrival) => {
      platform.keep(arrival);
      return receipt(arrival);
    };
  });

  afterEach(async () => {
    await Promise.all(devices.map((device) => device.close()));
    await platform.stop();
    expect(platform.changed).toEqual([]);
  });

  it('sends readings with its token and counts their receipts', async () => {
    const device = await connected();
    const receipts: number[] = [];
    device.on('receipt', ({ accepted }) => receipts.push(accepted));
    await device.send({ sensor: 'humidity', value: 40, unit: '%', location: 'cellar' });
    await flush(device);
    expect(platform.tokens).toEqual(['good']);
    expect(platform.arrivals[0]?.readings).toEqual([
      { sensor: 'humidity', value: 40, unit: '%', location: 'cellar', ts: 1_700_000_000_000 },
    ]);
    expect(receipts).toEqual([1]);
    expect(device.stats).toEqual({ queued: 0, sent: 1, acknowledged: 1, resent: 0, rejected: 0, dropped: 0 });
  });

  it('takes readings before it is connected, and sends them in batches', async () => {
    const device = create({ batch: { maxReadings: 40 } });
    await device.send(temperatures(100));
    expect(device.stats.queued).toBe(100);
    await device.connect();
    await flush(device);
    expect(platform.arrivals.map((arrival) => arrival.readings.length)).toEqual([40, 40, 20]);
    expect(platform.stored.size).toBe(100);
  });

  it('holds a batch within its bytes', async () => {
    const device = create({ batch: { maxBytes: 1_000 } });
    await device.send(Array.from({ length: 10 }, () => ({ sensor: 'text', value: 'x'.repeat(400) })));
    await device.connect();
    await flush(device);
    expect(platform.arrivals.map((arrival) => arrival.readings.length)).toEqual([2, 2, 2, 2, 2]);
  });

  it('lets readings wait for company as long as it is set to, unless a batch is full', async () => {
    const device = await connected({ batch: { lingerMs: 100, maxReadings: 10 } });
    await device.send(temperatures(1));
    await until('the backlog was looked through', () => platform.arrivals.length === 1, clock);
    await flush(device);
    await device.send(temperatures(2));
    clock.advance(99);
    await device.send(temperatures(1));
    clock.advance(1);
    await until('the company is there', () => platform.arrivals.length === 2);
    expect(platform.arrivals[1]?.readings).toHaveLength(3);
    await until('its receipt is there', () => device.stats.queued === 0);
    await device.send(temperatures(10));
    await until('a full batch is there', () => platform.arrivals.length === 3);
  });

  it('forgets none of the readings that came over and above a full batch, or while one was made up', async () => {
    const device = await connected({ batch: { maxReadings: 10, lingerMs: 100 } });
    await device.send(temperatures(11));
    await until('all are there', () => device.stats.acknowledged === 11);
    for (let sent = 11; sent < 111; sent += 1) {
      void device.send(temperatures(1, sent));
      if (sent % 3 === 0) await Promise.resolve();
      if (sent % 10 === 0) clock.advance(100);
    }
    await until('all are there', () => device.stats.acknowledged === 111, clock);
  });

  it('keeps no more batches without a receipt than it is set to', async () => {
    platform.behave = () => undefined;
    const device = create({ batch: { maxReadings: 1 }, inFlight: 3 });
    await device.send(temperatures(10));
    await device.connect();
    await until('the window is full', () => platform.arrivals.length === 3);
    clock.advance(1_000);
    expect(platform.arrivals).toHaveLength(3);
    expect(device.stats.sent).toBe(3);
  });

  it('sends a batch without a receipt again, the same, and takes a receipt that comes late', async () => {
    platform.behave = (arrival) => (platform.arrivals.length > 2 ? receipt(arrival) : undefined);
    const device = await connected({ ackTimeoutMs: 1_000 });
    await device.send(temperatures(3));
    await flush(device, 200);
    const [first, ...rest] = platform.arrivals;
    expect(rest.length).toBeGreaterThanOrEqual(2);
    for (const again of rest) expect([again.batchId, again.readings]).toEqual([first?.batchId, first?.readings]);
    expect(device.stats).toMatchObject({ sent: 3, resent: 3 * rest.length, acknowledged: 3, queued: 0 });
  });

  it('makes another connection when nothing comes back over the one it has', async () => {
    platform.behave = (arrival) => (platform.tokens.length > 1 ? receipt(arrival) : undefined);
    const device = await connected({ ackTimeoutMs: 1_000 });
    await device.send(temperatures(3));
    await flush(device, 200);
    expect(platform.tokens.length).toBeGreaterThan(1);
    expect(device.stats.acknowledged).toBe(3);
  });

  it('sends what had no receipt again after the connection was lost', async () => {
    platform.behave = (arrival) => {
      if (platform.arrivals.length > 1) return receipt(arrival);
      arrival.cut();
      return undefined;
    };
    const device = await connected();
    const reasons: string[] = [];
    device.on('disconnected', (reason) => reasons.push(reason));
    await device.send(temperatures(3));
    await flush(device);
    expect(reasons).toHaveLength(1);
    expect(platform.arrivals[1]?.batchId).toBe(platform.arrivals[0]?.batchId);
    expect(device.stats).toMatchObject({ sent: 3, resent: 3, acknowledged: 3 });
  });

  it.each(['BUSY', 'RATE_LIMITED'])(
    'pauses altogether for as long as %s says, and then sends everything',
    async (code) => {
      platform.behave = (arrival) =>
        platform.arrivals.length === 1 ? refuse(code, { retryAfterMs: 5_000 }) : receipt(arrival);
      const device = await connected({ inFlight: 1, batch: { maxReadings: 2 } });
      await device.send(temperatures(4));
      await until('the pause began', () => platform.arrivals.length === 1 && clock.untilNext === 7_500 - 1_250);
      clock.advance(6_249);
      await device.send(temperatures(2));
      expect(platform.arrivals).toHaveLength(1);
      await flush(device);
      expect(device.stats).toMatchObject({ acknowledged: 6, resent: 2, queued: 0 });
    },
  );

  it('takes a rejection by index as final for that reading alone', async () => {
    platform.behave = (arrival) => receipt(arrival, [1]);
    const device = await connected();
    const rejected: unknown[] = [];
    device.on('rejected', ({ reading, code }) => rejected.push([reading.value, code]));
    await device.send(temperatures(3));
    await flush(device);
    expect(rejected).toEqual([[1, 'BAD_VALUE']]);
    expect(platform.arrivals).toHaveLength(1);
    expect(device.stats).toMatchObject({ acknowledged: 2, rejected: 1, resent: 0, queued: 0 });
  });

  it('sends again what a receipt without room for all its rejections does not name', async () => {
    const isBad = (reading: { value: unknown }) => Number(reading.value) >= 10;
    platform.behave = (arrival) => {
      const bad = arrival.readings.flatMap((reading, index) => (isBad(reading) ? index : []));
      const whole = receipt(arrival, bad);
      return { ...whole, rejected: whole.rejected.slice(0, 20) };
    };
    const device = await connected();
    const rejected = new Set<unknown>();
    device.on('rejected', ({ reading }) => rejected.add(reading.value));
    await device.send(temperatures(110));
    await flush(device);
    expect(rejected.size).toBe(100);
    expect(device.stats).toMatchObject({ acknowledged: 10, rejected: 100, queued: 0 });
  });

  it('does not take a receipt that accounts for nothing for one', async () => {
    platform.behave = (arrival) =>
      platform.arrivals.length > 3
        ? receipt(arrival)
        : { ok: true, batchId: arrival.batchId, accepted: 0, rejected: [] };
    const device = await connected();
    await device.send(temperatures(1));
    await flush(device, 200);
    expect(platform.arrivals).toHaveLength(4);
    expect(device.stats).toMatchObject({ acknowledged: 1, rejected: 0 });
  });

  it.each(['INVALID_INPUT', 'INTERNAL'])(
    'finds the one reading for which whole batches are refused with %s',
    async (code) => {
      platform.behave = (arrival) => {
        if (arrival.readings.some((reading) => reading.value === 5)) return refuse(code);
        platform.keep(arrival);
        return receipt(arrival);
      };
      const device = await connected();
      const rejected: unknown[] = [];
      device.on('rejected', ({ reading, code: why }) => rejected.push([reading.value, why]));
      const more = setInterval(() => void device.send({ sensor: 'other', value: 1 }), 20);
      await device.send(temperatures(16));
      await until('the reading is rejected', () => rejected.length === 1, clock, 1_000);
      clearInterval(more);
      await flush(device);
      expect(rejected).toEqual([[5, platform.seen(code)]]);
      expect([...platform.stored.values()].filter((reading) => reading.sensor === 'temperature')).toHaveLength(15);
    },
  );

  it('gets another token when the one it has is refused, and says so only when there is none', async () => {
    platform.admit = (shown) =>
      tokenOf(shown) === 'second' ? undefined : { code: 'TOKEN_EXPIRED', message: 'The token has expired.' };
    const asked: unknown[] = [];
    const errors: unknown[] = [];
    const device = create({
      token: undefined,
      getToken: async (refused) => {
        asked.push(refused);
        return refused ? 'second' : 'first';
      },
    });
    device.on('auth-error', (trouble) => errors.push(trouble.code));
    await device.connect();
    await device.send(temperatures(1));
    await flush(device);
    expect(asked).toEqual([undefined, 'first']);
    expect(platform.tokens).toEqual(['first', 'second']);
    expect(errors).toEqual([]);
  });

  it('keeps its readings and goes on trying while its fixed token is refused', async () => {
    let revoked = true;
    platform.admit = () => (revoked ? { code: 'TOKEN_REVOKED', message: 'The token has been revoked.' } : undefined);
    const device = create();
    const errors: unknown[] = [];
    device.on('auth-error', (trouble) => errors.push(trouble.code));
    await device.send(temperatures(2));
    await device.connect();
    await until('it was refused three times', () => errors.length === 3, clock, 1_000);
    expect(device.stats.queued).toBe(2);
    revoked = false;
    await flush(device, 1_000);
    expect(device.stats.acknowledged).toBe(2);
  });

  it('shows a user name and a password', async () => {
    const credentials = { userName: 'abc123/44:8A:5B:9C:70:93', password: 'secret' };
    await connected({ token: undefined, credentials });
    expect(platform.handshakes).toEqual([credentials]);
  });

  it('enters again when its credentials are refused, and comes back with the new ones', async () => {
    const first = { userName: 'abc123/02', password: 'first' };
    const second = { userName: 'abc123/02', password: 'second' };
    let admitted = 'first';
    platform.behave = (arrival) => {
      const { password } = arrival.credentials;
      return password === admitted ? receipt(arrival) : refuse('TOKEN_REVOKED');
    };
    const asked: unknown[] = [];
    const device = await connected({
      token: undefined,
      provisioning: {
        enter: async (refused) => {
          asked.push(refused);
          return refused ? second : first;
        },
      },
    });
    await device.send(temperatures(1));
    await flush(device);
    admitted = 'second';
    await device.send(temperatures(1));
    await flush(device, 200);
    expect(asked).toEqual([undefined, first]);
    expect(platform.handshakes).toEqual([first, second]);
    expect(device.stats.acknowledged).toBe(2);
  });

  it('enters again until it is in, and is not discouraged by a way in that fails', async () => {
    const failures: string[] = [];
    const errors: unknown[] = [];
    const outcomes = [new Error('No connection.'), new CodedError('UNAVAILABLE', 'Later.', { retryAfterMs: 9_000 })];
    const device = create({
      token: undefined,
      provisioning: {
        enter: async () => {
          const outcome = outcomes.shift();
          if (outcome) throw outcome;
          return { token: 'good' };
        },
      },
    });
    device.on('connect-failed', ({ message }) => failures.push(message));
    device.on('auth-error', (trouble) => errors.push(trouble));
    await device.send(temperatures(1));
    await device.connect();
    await until('it is in', () => device.stats.acknowledged === 1, clock, 1_000);
    expect([failures, errors]).toEqual([['No connection.', 'Later.'], []]);
  });

  it('does not take a lost reply to its renewal for a refusal', async () => {
    platform.admit = (shown) => (tokenOf(shown) === 'new' ? undefined : { code: 'TOKEN_REVOKED', message: 'Gone.' });
    const outcomes: (Error | string)[] = ['old', new Error('No connection.'), 'new'];
    const errors: unknown[] = [];
    const device = create({
      token: undefined,
      getToken: async () => {
        const outcome = outcomes.shift() ?? 'new';
        if (typeof outcome === 'string') return outcome;
        throw outcome;
      },
    });
    device.on('auth-error', (trouble) => errors.push(trouble));
    await device.connect();
    await until('it is in', () => platform.links === 1, clock, 1_000);
    expect(errors).toEqual([]);
  });

  it('says why it is not let in, whatever the refusal is', async () => {
    const device = create({
      token: undefined,
      provisioning: { enter: () => Promise.reject(new CodedError('DEVICE_LIMIT_REACHED', 'The limit is 10 devices.')) },
    });
    const errors: unknown[] = [];
    device.on('auth-error', (trouble) => errors.push(trouble));
    await device.connect();
    await until('it is told', () => errors.length > 0);
    expect(errors[0]).toEqual({ code: 'DEVICE_LIMIT_REACHED', message: 'The limit is 10 devices.' });
  });

  it('tells that no token can be had', async () => {
    const device = create({
      token: undefined,
      getToken: () => Promise.reject(new CodedError('BAD_CREDENTIALS', 'Wrong password.')),
    });
    const errors: unknown[] = [];
    device.on('auth-error', (trouble) => errors.push(trouble));
    await device.connect();
    await until('it is told', () => errors.length > 0);
    expect(errors[0]).toEqual({ code: 'BAD_CREDENTIALS', message: 'Wrong password.' });
  });

  it('comes back no earlier than a refused handshake says', async () => {
    platform.admit = () =>
      platform.tokens.length > 1 ? undefined : { code: 'BUSY', message: 'Full.', retryAfterMs: 60_000 };
    const device = create();
    const failures: { message: string; retryInMs: number }[] = [];
    device.on('connect-failed', (failure) => failures.push(failure));
    await device.connect();
    await until('it was refused', () => failures.length === 1);
    expect(failures).toEqual([{ message: 'BUSY: Full.', retryInMs: 75_000 }]);
    clock.advance(74_999);
    expect(platform.tokens).toHaveLength(1);
    clock.advance(1);
    await until('it is back', () => platform.links === 1);
  });

  it('waits longer and longer for a platform that is away, and finds it when it is back', async () => {
    await platform.stop();
    const device = create();
    const waits: number[] = [];
    device.on('connect-failed', ({ retryInMs }) => waits.push(retryInMs));
    await device.send(temperatures(1));
    await device.connect();
    await until('it tried five times', () => waits.length >= 5, clock, 1_000);
    expect(waits.slice(0, 5)).toEqual([250, 500, 1_000, 2_000, 4_000]);
    platform = await createPlatform(platform.port).start();
    await flush(device, 1_000);
    expect(device.stats.acknowledged).toBe(1);
  });

  it('tries at once when somebody waits for receipts, unless the platform said when to come back', async () => {
    const port = platform.port;
    await platform.stop();
    const device = create({ backoff: { baseMs: 1_000_000, maxMs: 1_000_000 } });
    let failures = 0;
    device.on('connect-failed', () => (failures += 1));
    await device.send(temperatures(1));
    await device.connect();
    await until('it tried', () => failures === 1);
    platform = await createPlatform(port).start();
    expect(await device.flush()).toBe(true);
    platform.admit = () => ({ code: 'BUSY', message: 'Full.', retryAfterMs: 60_000 });
    platform.cut();
    await until('it knows', () => clock.untilNext < Infinity);
    void device.flush();
    clock.advance(500_000);
    await until('it was refused', () => failures === 2);
    const wait = clock.untilNext;
    void device.flush();
    await new Promise(setImmediate);
    expect(clock.untilNext).toBe(wait);
  });

  it('says which reading it cannot take, and that a full outbox is full', async () => {
    const device = create({ outbox: new MemoryOutbox({ maxReadings: 2 }) });
    await expect(device.send({ sensor: 'a', value: NaN })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await device.send(temperatures(2));
    await expect(device.send(temperatures(1))).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
  });

  it('counts the readings that gave way', async () => {
    const device = create({ outbox: new MemoryOutbox({ maxReadings: 2, whenFull: 'drop-oldest' }) });
    await device.send(temperatures(2));
    await device.send(temperatures(1, 2));
    expect(device.stats).toMatchObject({ queued: 2, dropped: 1 });
  });

  it('says after a flush without success that something is left, and closes all the same', async () => {
    platform.behave = () => undefined;
    const device = await connected();
    await device.send(temperatures(2));
    let settled: boolean | undefined;
    void device.close({ flush: true, timeoutMs: 10_000 }).then((all) => (settled = all));
    await until('it is closed', () => settled !== undefined, clock, 500);
    expect(settled).toBe(false);
    await expect(device.send(temperatures(1))).rejects.toThrow(/closed/);
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'has every reading accepted or rejected in the end, whatever the platform does (%i)',
    async (seed) => {
      const random = seeded(seed);
      const isBad = (arrival: Arrival) =>
        arrival.readings.flatMap((reading, index) => (Number(reading.value) % 17 === 0 ? index : []));
      let calm = false;
      const misbehave: ((arrival: Arrival) => Answer | undefined)[] = [
        () => undefined,
        () => refuse('BUSY', { retryAfterMs: 300 }),
        () => refuse('RATE_LIMITED', { retryAfterMs: 100 }),
        () => refuse('UNAVAILABLE'),
        () => refuse('INTERNAL'),
        (arrival) => {
          arrival.cut();
          return undefined;
        },
        (arrival) => {
          arrival.dismiss();
          return undefined;
        },
        (arrival) => {
          platform.keep(arrival, isBad(arrival));
          platform.cut();
          return undefined;
        },
      ];
      platform.behave = (arrival) => {
        const mischief = calm || random() < 0.4 ? undefined : misbehave[Math.floor(random() * misbehave.length)];
        if (mischief) return mischief(arrival);
        platform.keep(arrival, isBad(arrival));
        return receipt(arrival, isBad(arrival));
      };
      const device = create({ batch: { maxReadings: 7 }, inFlight: 3, ackTimeoutMs: 2_000, random });
      const rejected = new Set<unknown>();
      device.on('rejected', ({ reading }) => rejected.add(reading.value));
      await device.connect();
      for (let from = 0; from < 300; from += 10) {
        await device.send(temperatures(10, from));
        await until('some time has passed', () => platform.arrivals.length * 10 > from / 4, clock, 100);
      }
      calm = true;
      await flush(device, 100);
      const stored = new Set([...platform.stored.values()].map((reading) => reading.value));
      const all = temperatures(300).map((reading) => reading.value);
      expect(all.filter((value) => !stored.has(value) && !rejected.has(value))).toEqual([]);
      expect(device.stats.acknowledged + device.stats.rejected).toBe(300);
      expect(device.stats).toMatchObject({ queued: 0, dropped: 0, sent: 300 });
      expect(platform.stored.size).toBe(stored.size);
    },
  );
});
