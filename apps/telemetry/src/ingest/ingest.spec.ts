import { beforeEach, describe, expect, it } from '@jest/globals';
import { CodedError, type DevicePrincipal, type DeviceRef, type Principal, type UserPrincipal } from '#contracts';
import { uuid7 } from '#platform';
import { bodyOf, parseBody, textOf, type LogEntry, type WrittenEntry } from '../reading-log/log-body.ts';
import { Ingest, type IngestPorts } from './ingest.ts';

const NOW = Date.UTC(2026, 5, 1);
const deviceRef = (name: string): DeviceRef => ({
  id: uuid7(),
  name,
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId: null,
  state: 'active',
});
const own = deviceRef('own');
const child = deviceRef('child');
const home = deviceRef('home');
const device: DevicePrincipal = { kind: 'device', credentialId: uuid7(), device: own, expiresAt: null };
const person: UserPrincipal = { kind: 'user', userId: uuid7(), sessionId: uuid7(), role: 'user', customerId: null };

let appended: string[];
let told: string[];
let heard: string[];
let now: number;
let append: (entry: WrittenEntry) => Promise<void>;
let authorise: (principal: Principal, name: string) => Promise<DeviceRef>;
let ingest: Ingest;

const entries = (): LogEntry[] => parseBody(bodyOf(appended));

beforeEach(() => {
  appended = [];
  told = [];
  heard = [];
  now = NOW;
  append = (entry) => {
    appended.push(textOf(entry));
    return Promise.resolve();
  };
  authorise = (_principal, name) =>
    name === 'child' ? Promise.resolve(child) : Promise.reject(new CodedError('DEVICE_NOT_ALLOWED', 'not yours'));
  const ports: IngestPorts = {
    append: (entry) => append(entry),
    authorise: (principal, name) => authorise(principal, name),
    home: () => Promise.resolve(home),
    tell: ({ deviceId }) => told.push(deviceId),
    heard: ({ name }) => heard.push(name),
    count: () => undefined,
    now: () => now,
    retentionMs: 365 * 86_400_000,
  };
  ingest = new Ingest(ports);
});

describe('a batch', () => {
  it('gets its receipt only once everything of it is durable', async () => {
    let durable = (): void => undefined;
    append = () => new Promise((resolve) => (durable = resolve));
    let receipt: unknown;
    const accepting = ingest.accept(device, { sensor: 'a', value: 1 }).then((given) => (receipt = given));
    await new Promise(setImmediate);
    expect(receipt).toBeUndefined();
    expect(told).toEqual([]);
    durable();
    await accepting;
    expect(receipt).toMatchObject({ ok: true, accepted: 1, rejected: [] });
    expect(told).toEqual([own.id]);
  });

  it('keeps its good readings and names the bad ones by their index', async () => {
    const receipt = await ingest.accept(device, [
      { sensor: 'a', value: 1, ts: NOW },
      { sensor: 'a' },
      { sensor: 'b', value: 2, ts: NOW },
      7,
    ]);
    expect(receipt.accepted).toBe(2);
    expect(receipt.rejected.map(({ index, code }) => [index, code])).toEqual([
      [1, 'BAD_VALUE'],
      [3, 'NOT_AN_OBJECT'],
    ]);
    expect(entries()).toEqual([
      [
        own.id,
        NOW,
        2,
        [
          ['a', NOW, 1],
          ['b', NOW, 2],
        ],
      ],
    ]);
  });

  it('of which nothing is good is still counted in the ledger', async () => {
    expect(await ingest.accept(device, [1, 2])).toMatchObject({ accepted: 0, rejected: [{ index: 0 }, { index: 1 }] });
    expect(entries()).toEqual([[own.id, NOW, 2, []]]);
  });

  it('is refused as a whole when it is empty, too large, or has a bad id', async () => {
    const codeOf = async (payload: unknown, batchId?: unknown): Promise<unknown> =>
      ingest.accept(device, payload, batchId).then(
        () => 'accepted',
        (error: unknown) => (error instanceof CodedError ? error.code : error),
      );
    expect(await codeOf([])).toBe('BATCH_EMPTY');
    expect(await codeOf(Array.from({ length: 1_001 }, () => ({ sensor: 'a', value: 1 })))).toBe('BATCH_TOO_LARGE');
    expect(await codeOf({ sensor: 'a', value: 1 }, 'x'.repeat(65))).toBe('BAD_BATCH_ID');
    expect(await codeOf({ sensor: 'a', value: 1 }, { $gt: '' })).toBe('BAD_BATCH_ID');
    expect(appended).toEqual([]);
  });

  it('gets no receipt when the log is busy', async () => {
    append = () => Promise.reject(new CodedError('BUSY', 'full', { retryAfterMs: 500 }));
    await expect(ingest.accept(device, { sensor: 'a', value: 1 })).rejects.toMatchObject({
      code: 'BUSY',
      retryAfterMs: 500,
    });
    expect(told).toEqual([]);
  });

  it('keeps the id its sender gave it, or gets one', async () => {
    expect(await ingest.accept(device, { sensor: 'a', value: 1 }, 'b-1')).toMatchObject({ batchId: 'b-1' });
    const given = await Promise.all([1, 2].map((value) => ingest.accept(device, { sensor: 'a', value })));
    expect(new Set(given.map(({ batchId }) => batchId)).size).toBe(2);
  });

  it('that is large is split into entries that every log takes', async () => {
    const value = { text: 'x'.repeat(8_000) };
    const batch = Array.from({ length: 120 }, (_, index) => ({ sensor: 's', value, ts: NOW + index }));
    await ingest.accept(device, [...batch, 'bad']);
    expect(appended.length).toBeGreaterThan(1);
    for (const entry of appended) expect(Buffer.byteLength(entry)).toBeLessThan(500_000);
    expect(entries().flatMap(([, , , readings]) => readings)).toHaveLength(120);
    expect(entries().reduce((sum, [, , rejected]) => sum + rejected, 0)).toBe(1);
  });
});

describe('a reading’s device', () => {
  it('is the one that sends it, unless it names one that it may send for', async () => {
    await ingest.accept(device, [
      { sensor: 'a', value: 1, ts: NOW },
      { sensor: 'a', value: 1, ts: NOW, device: 'child' },
    ]);
    expect(entries().map(([id]) => id)).toEqual([own.id, child.id]);
  });

  it('of a person that names none is their default gateway', async () => {
    await ingest.accept(person, { sensor: 'a', value: 1, ts: NOW });
    expect(entries()[0]?.[0]).toBe(home.id);
  });

  it('that is foreign is refused by index, and the rest is kept', async () => {
    const receipt = await ingest.accept(device, [
      { sensor: 'a', value: 1, ts: NOW, device: 'foreign' },
      { sensor: 'a', value: 2, ts: NOW },
    ]);
    expect(receipt).toMatchObject({ accepted: 1, rejected: [{ index: 0, code: 'DEVICE_NOT_ALLOWED' }] });
  });

  it('is heard of once its readings are durable, also behind a gateway, which is heard of as well', async () => {
    let durable = (): void => undefined;
    append = () => new Promise((resolve) => (durable = resolve));
    const accepting = ingest.accept(device, { sensor: 'a', value: 1 });
    await new Promise(setImmediate);
    expect(heard).toEqual([]);
    durable();
    await accepting;
    append = () => Promise.resolve();
    await ingest.accept(device, { device: 'child', sensor: 'a', value: 1 });
    await ingest.accept(person, { sensor: 'a', value: 1 });
    expect(heard).toEqual(['own', 'child', 'own', 'home']);
  });

  it('is not heard of where nothing of it was accepted', async () => {
    await ingest.accept(device, [7]);
    await ingest.accept(device, [{ device: 'child', sensor: 'a' }]);
    append = () => Promise.reject(new CodedError('BUSY', 'full', { retryAfterMs: 500 }));
    await expect(ingest.accept(device, { sensor: 'a', value: 1 })).rejects.toMatchObject({ code: 'BUSY' });
    expect(heard).toEqual([]);
  });

  it('that nobody can look up just now refuses the whole batch, so that it is sent again', async () => {
    authorise = () => Promise.reject(new CodedError('UNAVAILABLE', 'away', { retryAfterMs: 1_000 }));
    await expect(ingest.accept(device, { sensor: 'a', value: 1, device: 'child' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(appended).toEqual([]);
  });
});

describe('readings without a timestamp', () => {
  const times = (): number[] => entries().flatMap(([, , , readings]) => readings.map(([, ts]) => ts));

  it('of one sensor never get the same time, so that none is taken for another', async () => {
    await ingest.accept(device, [
      { sensor: 'a', value: 1 },
      { sensor: 'a', value: 2 },
      { sensor: 'b', value: 3 },
    ]);
    await ingest.accept(device, { sensor: 'a', value: 4 });
    expect(times()).toEqual([NOW, NOW + 1, NOW, NOW + 2]);
  });

  it('get the same times again when their batch is sent again', async () => {
    const batch = [
      { sensor: 'a', value: 1 },
      { sensor: 'a', value: 2 },
    ];
    await ingest.accept(device, batch, 'b-1');
    now += 5_000;
    await ingest.accept(device, batch, 'b-1');
    expect(times()).toEqual([NOW, NOW + 1, NOW, NOW + 1]);
  });

  it('get new times when the batch id is used for something else, or by somebody else', async () => {
    await ingest.accept(device, { sensor: 'a', value: 1 }, 'b-1');
    now += 5_000;
    await ingest.accept(device, { sensor: 'a', value: 2 }, 'b-1');
    await ingest.accept(person, { sensor: 'a', value: 1 }, 'b-1');
    expect(times()).toEqual([NOW, NOW + 5_000, NOW + 5_000]);
  });
});
