import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitUntil } from '#testing';
import { DeviceLinks } from '../../telemetry/src/link/device-links.ts';
import { startHouse, type StartedHouse, type TestDevice } from './started-house.ts';

const NOTHING = '';

/** ThingsBoard's HTTP device API, as a device calls it. */
describe('a device that speaks the device API over HTTP', () => {
  let house: StartedHouse;
  let device: TestDevice;

  beforeAll(async () => {
    house = await startHouse();
    device = await house.newDevice();
  });
  afterAll(async () => {
    await house.stop();
  });

  const post = (path: string, body?: unknown, more?: Record<string, string>) =>
    house.call(`POST /api/v1/${device.token}${path}`, body, more);
  const get = (path: string) => house.call(`GET /api/v1/${device.token}${path}`);

  test('sends telemetry in each of the four shapes', async () => {
    const { id, token } = await house.newDevice();
    const ts = Date.now() - 60_000;
    const shapes = [
      { a: 1, b: true },
      { ts, values: { c: '2.5' } },
      [{ d: 'x' }, { e: [1] }],
      [{ ts: String(ts), values: { f: { g: 1 } } }, { 'CPU %': 7 }],
    ];
    for (const shape of shapes) {
      const { status, text } = await house.call(`POST /api/v1/${token}/telemetry`, shape);
      expect({ status, text }).toEqual({ status: 200, text: NOTHING });
    }
    const latest = await house.latest(id, 7);
    expect(latest).toMatchObject({
      a: { value: 1 },
      b: { value: true },
      c: { ts, value: 2.5 },
      d: { value: 'x' },
      e: { value: { array: [1] } },
      f: { ts, value: { g: 1 } },
      'CPU/:20/:25': { value: 7 },
    });
  });

  test.each([[{}], [[]], [[{}]], [undefined]])('is let off with nothing: %j', async (nothing) => {
    expect(await post('/telemetry', nothing)).toMatchObject({ status: 200, text: NOTHING });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'text/csv', 'application/octet-stream'])(
    'need not say that its JSON is any: %s',
    async (type) => {
      expect((await post('/telemetry', '{"a":1}', { 'Content-Type': type })).status).toBe(200);
    },
  );

  test('sends more readings in one message than a batch has', async () => {
    const { id, token } = await house.newDevice();
    const now = Date.now();
    const many = Array.from({ length: 2_500 }, (_, index) => ({ ts: now - index, values: { many: index } }));
    expect((await house.call(`POST /api/v1/${token}/telemetry`, many)).status).toBe(200);
    await waitUntil(async () => (await house.asAdmin(`GET /api/devices/${id}/ledger`))['stored'] === 2_500, {
      what: 'all are stored',
    });
  });

  test('is told which of its values were not kept, and why', async () => {
    const { status, body } = await post('/telemetry', { good: 1, [' '.repeat(30)]: 2, long: 'x'.repeat(5_000) });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      accepted: 1,
      rejected: [
        { device: device.name, key: ' '.repeat(30), code: 'BAD_SENSOR' },
        { device: device.name, key: 'long', code: 'BAD_VALUE' },
      ],
    });
    const none = await post('/telemetry', { ts: 1, values: { a: 1 } });
    expect(none).toMatchObject({
      status: 400,
      body: { code: 'BAD_PAYLOAD', message: expect.stringContaining('older') },
    });
  });

  test.each([['{"a":'], ['nonsense'], ['1'], ['"x"'], ['null'], ['[1]'], ['{"ts":"soon","values":{}}']])(
    'is told what is wrong with %j, with status 400',
    async (text) => {
      const { status, body } = await post('/telemetry', text);
      expect(status).toBe(400);
      expect(body).toMatchObject({ status: 400, message: expect.any(String), code: expect.any(String) });
    },
  );

  test('is refused with 413 for too much at a time', async () => {
    expect((await post('/telemetry', { a: 'x'.repeat(1_100_000) })).status).toBe(413);
  });

  test('that nobody knows gets 401 and nothing else', async () => {
    for (const request of [
      'POST /api/v1/nobody/telemetry',
      'GET /api/v1/nobody/attributes',
      'GET /api/v1/nobody/rpc',
      'GET /api/v1/nobody/firmware?title=a&version=1',
    ] as const) {
      const reply = await house.call(request, request.startsWith('POST') ? { a: 1 } : undefined);
      expect(reply).toMatchObject({ status: 401, text: NOTHING });
    }
    const personal = house.authorization.replace('Bearer ', '');
    for (const token of [personal, 'x'.repeat(5_000), '%00', '-']) {
      expect(await house.call(`POST /api/v1/${token}/telemetry`, { a: 1 })).toMatchObject({
        status: 401,
        text: NOTHING,
      });
    }
  });

  test('reports attributes, and asks for those of both sides', async () => {
    expect(await post('/attributes', { model: 'x', serial: '007', list: [1] })).toMatchObject({
      status: 200,
      text: NOTHING,
    });
    await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { interval: 30, mode: 'a' } });
    expect((await get('/attributes')).body).toEqual({
      client: { model: 'x', serial: '007', list: [1] },
      shared: { interval: 30, mode: 'a' },
    });
    expect((await get('/attributes?clientKeys=model,none')).body).toEqual({ client: { model: 'x' } });
    expect((await get('/attributes?sharedKeys=interval&sharedKeys=mode')).body).toEqual({
      shared: { interval: 30, mode: 'a' },
    });
    expect((await get('/attributes?sharedKeys=none')).body).toEqual({});
    await post('/attributes', { list: null });
    expect((await get('/attributes?clientKeys=list')).body).toEqual({});
    expect((await post('/attributes', [1])).status).toBe(400);
  });

  test('waits for changes of its attributes, which it is told once', async () => {
    const { id, token } = await house.newDevice();
    const wait = (timeout: number) => house.call(`GET /api/v1/${token}/attributes/updates?timeout=${String(timeout)}`);
    await house.asAdmin(`PATCH /api/devices/${id}/attributes`, { shared: { missed: 1 } });
    expect((await wait(10_000)).body).toEqual({ missed: 1 });
    const waiting = wait(20_000);
    await house.asAdmin(`PATCH /api/devices/${id}/attributes`, { shared: { interval: 31 } });
    expect((await waiting).body).toEqual({ interval: 31 });
    await house.asAdmin(`PATCH /api/devices/${id}/attributes`, { shared: { interval: null } });
    expect((await wait(10_000)).body).toEqual({ deleted: ['interval'] });
    expect(await wait(1)).toMatchObject({ status: 408, text: NOTHING });
    expect((await house.call(`GET /api/v1/${token}/attributes/updates?timeout=soon`)).status).toBe(400);
  });

  test('takes commands one at a time and answers them', async () => {
    const { id, token } = await house.newDevice();
    const next = () => house.call(`GET /api/v1/${token}/rpc?timeout=20000`);
    const waiting = next();
    await waitUntil(async () => (await house.asAdmin(`GET /api/devices/${id}/connection`))['online'] === true, {
      what: 'the device is online',
    });
    const sent = house.asAdmin(`POST /api/devices/${id}/commands`, { method: 'setGpio', params: { pin: 7 } });
    const command = (await waiting).body;
    expect(command).toEqual({ id: expect.any(Number), method: 'setGpio', params: { pin: 7 } });
    const answer = await house.call(`POST /api/v1/${token}/rpc/${String(command.id)}`, { ok: true });
    expect(answer).toMatchObject({ status: 200, text: NOTHING });
    expect(await sent).toMatchObject({ status: 'succeeded', result: { ok: true } });

    const kept = ['first', 'second'];
    for (const method of kept) await house.asAdmin(`POST /api/devices/${id}/commands`, { method, persist: true });
    for (const method of kept) {
      const { body } = await next();
      expect(body['method']).toBe(method);
      await house.call(`POST /api/v1/${token}/rpc/${String(body.id)}`, { error: 'jammed' });
    }
    const { items } = await house.asAdmin(`GET /api/devices/${id}/commands?status=failed`);
    expect(items.map(({ error }) => error)).toEqual(['jammed', 'jammed']);
    expect((await house.call(`POST /api/v1/${token}/rpc/999`, 'not waited for', { 'Content-Type': 'x' })).status).toBe(
      400,
    );
    expect((await house.call(`POST /api/v1/${token}/rpc/999`, '"not waited for"')).status).toBe(200);
    expect((await house.call(`POST /api/v1/${token}/rpc/x`, {})).status).toBe(400);
  });

  test('asks for its limits, and is told at once of what there is not', async () => {
    const limits = await post('/rpc', { method: 'getSessionLimits', params: {} });
    expect(limits.body).toEqual({
      maxPayloadSize: expect.any(Number),
      maxInflightMessages: expect.any(Number),
      rateLimits: { messages: '500:1', telemetryMessages: null, telemetryDataPoints: null },
    });
    expect((await post('/rpc', { method: 'getTime', params: {} })).body).toEqual({
      error: expect.stringContaining('getTime'),
    });
    expect((await post('/rpc', { params: {} })).status).toBe(400);
  });

  test('waits with a few requests at a time, and loses them with its credential', async () => {
    const { id, token } = await house.newDevice();
    const waiting = Array.from({ length: 8 }, () => house.call(`GET /api/v1/${token}/rpc`));
    const tooMany = await waitUntil(
      async () => {
        const reply = await house.call(`GET /api/v1/${token}/rpc?timeout=1`);
        return reply.status === 429 && reply;
      },
      { what: 'all of them wait' },
    );
    expect(tooMany.headers.get('retry-after')).toBe('1');
    await house.asAdmin(`DELETE /api/devices/${id}`);
    for (const reply of await Promise.all(waiting)) expect(reply.status).toBe(401);
  });

  test('that goes away takes nothing any more', async () => {
    const { id, token } = await house.newDevice();
    const gone = new AbortController();
    const waiting = fetch(`${house.url}/api/v1/${token}/rpc`, { signal: gone.signal }).catch(() => undefined);
    const links = house.app.get(DeviceLinks);
    await waitUntil(() => links.of(id, 'commands'), { what: 'it waits' });
    gone.abort();
    await waiting;
    await waitUntil(() => !links.of(id, 'commands'), { what: 'it has gone' });
    await house.asAdmin(`POST /api/devices/${id}/commands`, { method: 'kept', persist: true });
    expect((await house.call(`GET /api/v1/${token}/rpc?timeout=10000`)).body['method']).toBe('kept');
  });

  test('is told to ask again when the service stops', async () => {
    const stopping = await startHouse();
    const { id, token } = await stopping.newDevice();
    const waiting = stopping.call(`GET /api/v1/${token}/attributes/updates`);
    await waitUntil(() => stopping.app.get(DeviceLinks).of(id, 'attributes'), { what: 'it waits' });
    await stopping.stop();
    const { status, headers } = await waiting;
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  });

  test('has no firmware unless it is assigned some', async () => {
    expect(await get('/firmware?title=a&version=1')).toMatchObject({
      status: 404,
      body: { code: 'FIRMWARE_NOT_ASSIGNED' },
    });
  });

  test('loads its firmware as a whole and in chunks', async () => {
    const { id, token } = await house.newDevice();
    const file = randomBytes(10_000);
    const uploaded = await fetch(`${house.url}/api/firmware?title=t&version=1`, {
      method: 'POST',
      headers: { Authorization: house.authorization, 'Content-Type': 'application/octet-stream' },
      body: file,
    });
    const { id: packageId } = (await uploaded.json()) as { id: string };
    await house.asAdmin(`PUT /api/devices/${id}/firmware`, { package: packageId });
    const load = async (query: string): Promise<Buffer> => {
      const response = await fetch(`${house.url}/api/v1/${token}/firmware?title=t&version=1${query}`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-disposition')).toContain('attachment');
      return Buffer.from(await response.arrayBuffer());
    };
    expect(await load('')).toEqual(file);
    const chunks = [];
    for (const chunk of [0, 1, 2, 3]) chunks.push(await load(`&size=4096&chunk=${String(chunk)}`));
    expect(chunks.map(({ length }) => length)).toEqual([4_096, 4_096, 1_808, 0]);
    expect(Buffer.concat(chunks)).toEqual(file);
    for (const query of ['', 'title=t', 'title=t&version=2', 'title=t&version=1&size=x']) {
      expect((await house.call(`GET /api/v1/${token}/firmware?${query}`)).status).toBe(400);
    }
    expect((await house.call(`GET /api/v1/${token}/software?title=t&version=1`)).status).toBe(404);
  });

  test('is told when to send again if it sends too often', async () => {
    const slow = await startHouse({ RATE_LIMIT: '3' });
    try {
      const { token } = await slow.newDevice();
      const replies = [];
      for (let sent = 0; sent < 10; sent += 1)
        replies.push(await slow.call(`POST /api/v1/${token}/telemetry`, { a: sent }));
      const refused = replies.find(({ status }) => status === 429);
      expect(refused?.body).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
      expect(refused?.headers.get('retry-after')).toBe('1');
    } finally {
      await slow.stop();
    }
  });

  test('counts as online from what it sends', async () => {
    const { id, token } = await house.newDevice();
    await house.call(`POST /api/v1/${token}/telemetry`, { a: 1 });
    await waitUntil(
      async () => {
        const { online, via } = await house.asAdmin(`GET /api/devices/${id}/connection`);
        return online === true && via === 'http';
      },
      { what: 'it is online' },
    );
  });
});
