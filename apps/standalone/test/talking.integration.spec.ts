import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { waitUntil } from '#testing';
import { startHouse, type Reply, type StartedHouse, type TestDevice } from './started-house.ts';

let house: StartedHouse;
const sockets = new Set<Socket>();

beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house.stop());
afterEach(() => {
  for (const socket of sockets) socket.disconnect();
  sockets.clear();
});

async function connect(namespace: string, auth: Record<string, unknown>): Promise<Socket> {
  const socket = io(`${house.url}${namespace}`, {
    auth,
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
  });
  sockets.add(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}
const socketOf = ({ token }: TestDevice, listens?: unknown) =>
  connect('/telemetry', { token, ...(listens === undefined ? {} : { listens }) });
const viewer = () => connect('/live', { token: house.authorization.replace('Bearer ', '') });
const ask = (socket: Socket, event: string, message?: unknown): Promise<unknown> =>
  message === undefined
    ? socket.timeout(10_000).emitWithAck(event)
    : socket.timeout(10_000).emitWithAck(event, message);

const post = (device: TestDevice, body: unknown, more: Record<string, string> = {}): Promise<Reply> =>
  house.call(`POST /api/devices/${device.id}/commands`, body, { Authorization: house.authorization, ...more });
const connectionOf = (device: TestDevice) => house.asAdmin(`GET /api/devices/${device.id}/connection`);
/** Each event of these names that the viewer gets from now on. */
function heardOn(socket: Socket, ...names: string[]): [string, Record<string, unknown>][] {
  const heard: [string, Record<string, unknown>][] = [];
  for (const name of names) socket.on(name, (data: Record<string, unknown>) => heard.push([name, data]));
  return heard;
}

describe('a device on a socket', () => {
  test('answers a command with its acknowledgement', async () => {
    const device = await house.newDevice();
    const socket = await socketOf(device, ['commands']);
    socket.on('command', (command: Record<string, unknown>, ack: (answer: unknown) => void) => {
      ack(command['method'] === 'echo' ? { ok: true, result: command } : { ok: false, error: 'what?' });
    });
    const { status, body } = await post(device, { method: 'echo', params: ['x', null] });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.any(String),
      status: 'succeeded',
      result: { id: body.id, number: 1, method: 'echo', params: ['x', null], expiresAt: expect.any(Number) },
    });
    expect((await post(device, { method: 'dance' })).body).toMatchObject({ status: 'failed', error: 'what?' });
  });

  test.each([[undefined], ['yes'], [{ ok: 1 }], [{ ok: false }], [null]])(
    'that acknowledges with %j has failed',
    async (answer) => {
      const device = await house.newDevice();
      const socket = await socketOf(device, ['commands']);
      socket.on('command', (_: unknown, ack: (answer: unknown) => void) => ack(answer));
      const { body } = await post(device, { method: 'x' });
      expect(body).toMatchObject({ status: 'failed', error: expect.stringContaining('not an answer') });
    },
  );

  test('says that it has a command, and answers it later, even over another socket', async () => {
    const device = await house.newDevice();
    const { id } = (await post(device, { method: 'slow', persist: true, expiresInSeconds: 30 })).body;
    const statusIs = (status: string) =>
      waitUntil(
        async () => (await house.asAdmin(`GET /api/devices/${device.id}/commands/${id}`))['status'] === status,
        { what: `the command is ${status}` },
      );
    const socket = await socketOf(device, ['commands', 'attributes']);
    const acks: ((answer: unknown) => void)[] = [];
    socket.on('command', (_: unknown, ack: (answer: unknown) => void) => acks.push(ack));
    await statusIs('sent');
    expect(await ask(socket, 'command:delivered', { id })).toEqual({ ok: true });
    await statusIs('delivered');
    const other = await socketOf(device);
    expect(await ask(other, 'command:answer', { id, ok: true, result: 42 })).toEqual({ ok: true });
    expect(await ask(other, 'command:answer', { id, ok: false, error: 'again' })).toEqual({ ok: true });
    for (const ack of acks) ack({ ok: true, result: 'late' });
    await ask(socket, 'listen', { topics: [] });
    await statusIs('succeeded');
    expect(await house.asAdmin(`GET /api/devices/${device.id}/commands/${id}`)).toMatchObject({ result: 42 });
  });

  test('gets commands only while it listens to them', async () => {
    const device = await house.newDevice();
    const socket = await socketOf(device);
    socket.on('command', (_: unknown, ack: (answer: unknown) => void) => ack({ ok: true }));
    const offline = { status: 409, body: { code: 'DEVICE_OFFLINE' } };
    expect(await post(device, { method: 'x' })).toMatchObject(offline);
    expect(await ask(socket, 'listen', { topics: ['commands'] })).toEqual({ ok: true, topics: ['commands'] });
    expect((await post(device, { method: 'x' })).body).toMatchObject({ status: 'succeeded', result: null });
    await ask(socket, 'listen', { topics: [] });
    expect(await post(device, { method: 'x' })).toMatchObject(offline);
  });

  test('is told what is wrong with what it sends', async () => {
    const device = await house.newDevice();
    const refused = { ok: false, code: 'INVALID_INPUT', message: expect.any(String) };
    await expect(socketOf(device, ['all'])).rejects.toMatchObject({ data: { code: 'INVALID_INPUT' } });
    const socket = await socketOf(device);
    const wrong: [string, unknown?][] = [
      ['listen', { topics: ['weather'] }],
      ['listen'],
      ['command:delivered', { id: 'x' }],
      ['command:answer', { id: device.id, result: 1 }],
      ['attributes:report', 'text'],
      ['attributes:get', { server: true }],
      ['attributes:get', [1]],
      ['firmware:state', { title: 'a', version: '1', state: 'DANCING' }],
    ];
    for (const [event, message] of wrong) expect([event, await ask(socket, event, message)]).toEqual([event, refused]);
    expect(await ask(socket, 'firmware:state', { title: 'a', version: '1', state: 'DOWNLOADING' })).toMatchObject({
      ok: false,
      code: 'FIRMWARE_NOT_ASSIGNED',
    });
    socket.emit('listen', { topics: 'x' });
    socket.emit('constructor', {});
    expect(await ask(socket, 'listen', { topics: [] })).toMatchObject({ ok: true });
  });

  test('reports attributes, asks for them, and is told when they change', async () => {
    const device = await house.newDevice();
    const socket = await socketOf(device, ['attributes']);
    const told: unknown[] = [];
    socket.on('attributes', (update: unknown, ack: (answer: unknown) => void) => {
      told.push(update);
      ack({ ok: true });
    });
    expect(await ask(socket, 'attributes:report', { model: 'x' })).toMatchObject({ ok: true, version: 1 });
    await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { interval: 5 } });
    await waitUntil(() => told.length === 1, { what: 'the device is told' });
    expect(told).toMatchObject([{ changed: { interval: 5 } }]);
    expect(await ask(socket, 'attributes:get', { client: true, shared: ['interval', 'other'] })).toEqual({
      ok: true,
      version: 2,
      client: { model: 'x' },
      shared: { interval: 5 },
    });
  });
});

describe('a command', () => {
  test.each<[string, unknown, Record<string, string>]>([
    ['without a method', {}, {}],
    ['whose method is no text', { method: {} }, {}],
    ['whose method has a control character', { method: 'a\nb' }, {}],
    ['whose method is too long', { method: 'x'.repeat(256) }, {}],
    ['with something else', { method: 'x', priority: 1 }, {}],
    ['with no time', { method: 'x', timeoutMs: 0 }, {}],
    ['with too much time', { method: 'x', timeoutMs: 300_001 }, {}],
    ['with params that are too large', { method: 'x', params: 'x'.repeat(70_000) }, {}],
    ['with params that are too deep', `{"method":"x","params":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, {}],
    ['with half a character', '{"method":"x","params":"\\ud800"}', {}],
    ['with an idempotency key that is none', { method: 'x' }, { 'Idempotency-Key': 'a b' }],
    ['with an idempotency key that is too long', { method: 'x' }, { 'Idempotency-Key': 'k'.repeat(129) }],
    ['that is kept for ever', { method: 'x', persist: true, expiresInSeconds: 1e12 }, {}],
  ])('%s is refused, and nothing is kept', async (_, body, headers) => {
    const device = await house.newDevice();
    const { status, body: problem } = await post(device, body, { 'Content-Type': 'application/json', ...headers });
    expect([status, problem['code']]).toEqual([422, 'INVALID_INPUT']);
    expect((await house.asAdmin(`GET /api/devices/${device.id}/commands`)).items).toEqual([]);
  });

  test('to a device that is not there is nobody’s', async () => {
    const stranger = { id: '0198f000-0000-7000-8000-000000000000', name: '', token: '' };
    expect(await post(stranger, { method: 'x' })).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  });
});

describe('the connection', () => {
  test('of a device that was never heard of is offline', async () => {
    expect(await connectionOf(await house.newDevice())).toMatchObject({ online: false, since: null, via: null });
  });

  test('is that of its socket, until that ends', async () => {
    const device = await house.newDevice();
    const socket = await socketOf(device);
    await waitUntil(async () => (await connectionOf(device))['online'] === true, { what: 'it is online' });
    expect(await connectionOf(device)).toMatchObject({ via: 'socket', protocol: 'socket.io websocket', will: null });
    socket.disconnect();
    await waitUntil(async () => (await connectionOf(device))['online'] === false, { what: 'it is offline' });
    const { items } = await house.asAdmin(`GET /api/devices/${device.id}/connection/history`);
    expect(items.map(({ kind }) => kind)).toEqual(['offline', 'online']);
  });

  test('of a device whose credentials are revoked ends with that as the reason', async () => {
    const device = await house.newDevice();
    await socketOf(device);
    const credentials = (await house.asAdmin(`GET /api/devices/${device.id}/credentials`)).items;
    await waitUntil(async () => (await connectionOf(device))['online'] === true, { what: 'it is online' });
    for (const { id } of credentials) {
      await house.asAdmin(`DELETE /api/devices/${device.id}/credentials/${String(id)}`);
    }
    await waitUntil(async () => (await connectionOf(device))['online'] === false, { what: 'it is offline' });
    expect(await connectionOf(device)).toMatchObject({ reason: expect.stringContaining('revoked') });
  });

  test('of a device that sends readings over HTTP is online', async () => {
    const device = await house.newDevice();
    const reading = { sensorType: 't', value: 1 };
    await house.call('POST /telemetry', reading, { Authorization: `Bearer ${device.token}` });
    await waitUntil(async () => (await connectionOf(device))['online'] === true, { what: 'it is online' });
    expect(await connectionOf(device)).toMatchObject({ via: 'http', replica: expect.any(String) });
  });

  test('is gone with its device', async () => {
    const device = await house.newDevice();
    await socketOf(device);
    await waitUntil(async () => (await connectionOf(device))['online'] === true, { what: 'it is online' });
    await house.asAdmin(`DELETE /api/devices/${device.id}`);
    const gone = await house.call(`GET /api/devices/${device.id}/connection`, undefined, {
      Authorization: house.authorization,
    });
    expect(gone.status).toBe(404);
  });
});

describe('a viewer', () => {
  const NAMES = ['presence', 'command', 'attributes', 'firmware', 'connection', 'readings'];

  test('sees of a device what it asked for', async () => {
    const device = await house.newDevice();
    const watching = await viewer();
    const heard = heardOn(watching, ...NAMES);
    const events = ['presence', 'command', 'attributes'];
    expect(await ask(watching, 'subscribe', { devices: [device.id], events })).toMatchObject({ ok: true });
    const socket = await socketOf(device, ['commands']);
    socket.on('command', (_: unknown, ack: (answer: unknown) => void) => ack({ ok: true, result: 'done' }));
    await waitUntil(() => heard.length === 1, { what: 'it is seen to be online' });
    await post(device, { method: 'x' });
    await ask(socket, 'attributes:report', { a: 1 });
    expect(await ask(socket, 'readings', { sensorType: 't', value: 1 })).toMatchObject({ accepted: 1 });
    await waitUntil(() => heard.some(([name]) => name === 'readings'), { what: 'a reading is seen' });
    await waitUntil(() => heard.some(([, data]) => data['status'] === 'succeeded'), { what: 'the end is seen' });
    expect(heard.find(([name]) => name === 'presence')?.[1]).toMatchObject({ device: device.id, online: true });
    expect(heard.find(([name]) => name === 'attributes')?.[1]).toMatchObject({
      device: device.id,
      scope: 'client',
      changed: { a: 1 },
    });
    const statuses = heard.filter(([name]) => name === 'command').map(([, data]) => data['status']);
    expect([statuses[0], statuses.at(-1)]).toEqual(['queued', 'succeeded']);
  });

  test('that asks for no events sees readings alone, and one that has unsubscribed nothing', async () => {
    const device = await house.newDevice();
    const watching = await viewer();
    const heard = heardOn(watching, ...NAMES);
    await ask(watching, 'subscribe', { devices: [device.id] });
    const socket = await socketOf(device);
    await ask(socket, 'attributes:report', { a: 1 });
    await ask(socket, 'readings', { sensorType: 't', value: 1 });
    await waitUntil(() => heard.length > 0, { what: 'a reading is seen' });
    expect(heard.map(([name]) => name)).toEqual(['readings']);
    await ask(watching, 'subscribe', { devices: [device.id], events: ['attributes'] });
    await ask(watching, 'unsubscribe', {});
    await ask(socket, 'attributes:report', { a: 2 });
    await ask(socket, 'readings', { sensorType: 't', value: 2 });
    expect(await ask(watching, 'unsubscribe', {})).toEqual({ ok: true });
    expect(heard).toHaveLength(1);
  });

  test('is told what is wrong with what it asks for', async () => {
    const watching = await viewer();
    for (const message of [
      { events: ['presence'] },
      { devices: [], events: [] },
      { rollouts: ['x'] },
      { rollouts: [] },
    ]) {
      expect(await ask(watching, 'subscribe', message)).toMatchObject({ ok: false, code: 'INVALID_INPUT' });
    }
    const id = '0198f000-0000-7000-8000-000000000000';
    expect(await ask(watching, 'subscribe', { devices: [id], events: ['dance'] })).toMatchObject({ ok: false });
    expect(await ask(watching, 'subscribe', { rollouts: [id] })).toMatchObject({
      ok: true,
      rollouts: [{ id, code: 'NOT_FOUND' }],
    });
  });
});
