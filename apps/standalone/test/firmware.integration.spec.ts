import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitUntil } from '#testing';
import { PackageStore } from '../../telemetry/src/firmware/package-store.ts';
import { startHouse, type Json, type Reply, type StartedHouse, type TestDevice } from './started-house.ts';

const MAX_BYTES = 130 * 1_048_576;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('packages of firmware', () => {
  let house: StartedHouse;
  let versions = 0;

  beforeAll(async () => {
    house = await startHouse({ FIRMWARE_MAX_BYTES: String(MAX_BYTES), RATE_LIMIT: 'off' });
  });
  afterAll(async () => {
    await house.stop();
  });

  const asAdmin = (what: `${string} /${string}`, body?: unknown) =>
    house.call(what, body, { Authorization: house.authorization });

  async function upload(
    query: Record<string, string>,
    body: RequestInit['body'],
    headers: Record<string, string> = {},
  ): Promise<Pick<Reply, 'status' | 'body'>> {
    const response = await fetch(`${house.url}/api/firmware?${new URLSearchParams(query).toString()}`, {
      method: 'POST',
      headers: { Authorization: house.authorization, 'Content-Type': 'application/octet-stream', ...headers },
      body,
      duplex: 'half',
    });
    return { status: response.status, body: (await response.json()) as Json };
  }

  async function newPackage(bytes: Buffer, kind = 'firmware'): Promise<{ id: string; title: string; version: string }> {
    versions += 1;
    const name = { title: 'Böiler "X"', version: `1.${String(versions)}` };
    const { status, body } = await upload({ kind, ...name }, bytes);
    expect(status).toBe(201);
    return { id: body.id, ...name };
  }

  async function download(path: string, authorization: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${house.url}${path}`, { headers: { Authorization: authorization, ...headers } });
    return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
  }

  const ofDevice = ({ token }: TestDevice, more?: Record<string, string>) =>
    download('/firmware', `Bearer ${token}`, more);

  describe('that come in', () => {
    test('are kept, with their checksum, and found again', async () => {
      const bytes = randomBytes(300_000);
      const { status, body } = await upload(
        { title: 'Boiler', version: '2.0', sha256: sha256(bytes).toUpperCase() },
        bytes,
      );
      expect({ status, body }).toMatchObject({
        status: 201,
        body: {
          kind: 'firmware',
          title: 'Boiler',
          version: '2.0',
          size: 300_000,
          checksum: sha256(bytes),
          checksumAlgorithm: 'SHA256',
          customerId: null,
        },
      });
      expect(await house.asAdmin(`GET /api/firmware/${body.id}`)).toEqual(body);
      expect((await house.asAdmin('GET /api/firmware?kind=firmware')).items).toContainEqual(body);
      expect((await house.asAdmin('GET /api/firmware?kind=software')).items).not.toContainEqual(body);
    });

    test('are the same again under the same name, and nothing else is', async () => {
      const bytes = randomBytes(1_000);
      const name = { title: 'Same', version: '1' };
      const first = await upload(name, bytes);
      expect(await upload(name, bytes)).toEqual({ status: 200, body: first.body });
      expect(await upload(name, randomBytes(1_000))).toMatchObject({ status: 409, body: { code: 'FIRMWARE_EXISTS' } });
      expect((await upload({ ...name, kind: 'software' }, randomBytes(10))).status).toBe(201);
    });

    test('at once under one name are one package', async () => {
      const bytes = randomBytes(500_000);
      const replies = await Promise.all([1, 2, 3].map(() => upload({ title: 'Once', version: '1' }, bytes)));
      expect(new Set(replies.map(({ body }) => body.id)).size).toBe(1);
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
    });

    test.each<[string, Record<string, string>, Buffer, number, string]>([
      ['with another checksum', { sha256: '0'.repeat(64) }, randomBytes(300_000), 422, 'CHECKSUM_MISMATCH'],
      ['without any bytes', {}, Buffer.alloc(0), 422, 'INVALID_INPUT'],
      ['without a version', { version: ' ' }, randomBytes(10), 422, 'INVALID_INPUT'],
      ['with a checksum that is none', { sha256: 'abc' }, randomBytes(10), 422, 'INVALID_INPUT'],
    ])('%s are refused', async (_, query, bytes, status, code) => {
      const reply = await upload({ title: 'Bad', version: '1', ...query }, bytes);
      expect(reply).toMatchObject({ status, body: { code } });
      const { items } = await house.asAdmin('GET /api/firmware?limit=1000');
      expect(items.filter(({ title }) => title === 'Bad')).toEqual([]);
    });

    test('as something else than bytes are refused', async () => {
      const query = { title: 'Bad', version: '1' };
      expect(await upload(query, '{}', { 'Content-Type': 'application/json' })).toMatchObject({ status: 415 });
    });

    test('too large are refused, also when they do not say so before', async () => {
      const query = { title: 'Huge', version: '1' };
      const pieces = function* () {
        for (let sent = 0; sent <= MAX_BYTES; sent += 1_048_576) yield Buffer.alloc(1_048_576);
      };
      const streamed = Readable.toWeb(Readable.from(pieces())) as unknown as RequestInit['body'];
      await expect(upload(query, streamed)).resolves.toMatchObject({ status: 413, body: { code: 'BODY_TOO_LARGE' } });
      const { items } = await house.asAdmin('GET /api/firmware?limit=1000');
      expect(items.filter(({ title }) => title === 'Huge')).toEqual([]);
    });

    test('and are cut off leave nothing behind', async () => {
      const outgoing = request(`${house.url}/api/firmware?title=Cut&version=1`, {
        method: 'POST',
        headers: {
          Authorization: house.authorization,
          'Content-Type': 'application/octet-stream',
          'Content-Length': 5_000_000,
        },
      });
      outgoing.on('error', () => undefined);
      await new Promise<void>((resolve) =>
        outgoing.write(randomBytes(2_000_000), () => {
          resolve();
        }),
      );
      outgoing.destroy();
      const store = house.app.get(PackageStore);
      await waitUntil(async () => (await store.unfinished()) === 0, { what: 'nothing is left of it' });
      expect((await upload({ title: 'Cut', version: '1' }, randomBytes(10))).status).toBe(201);
    });

    test('of 100 MiB come in and go out in constant memory', async () => {
      const piece = randomBytes(1_048_576);
      const hash = createHash('sha256');
      const before = process.memoryUsage().rss;
      let most = before;
      const pieces = function* () {
        for (let sent = 0; sent < 100; sent += 1) {
          hash.update(piece);
          most = Math.max(most, process.memoryUsage().rss);
          yield piece;
        }
      };
      const streamed = Readable.toWeb(Readable.from(pieces())) as unknown as RequestInit['body'];
      const { status, body } = await upload({ title: 'Large', version: '1' }, streamed);
      expect({ status, checksum: body['checksum'] }).toEqual({ status: 201, checksum: hash.digest('hex') });
      const response = await fetch(`${house.url}/api/firmware/${body.id}/file`, {
        headers: { Authorization: house.authorization },
      });
      const received = createHash('sha256');
      for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
        received.update(part);
        most = Math.max(most, process.memoryUsage().rss);
      }
      expect(received.digest('hex')).toBe(body['checksum']);
      expect((most - before) / 1_048_576).toBeLessThan(95);
      expect((await asAdmin(`DELETE /api/firmware/${body.id}`)).status).toBe(204);
      expect((await asAdmin(`GET /api/firmware/${body.id}`)).status).toBe(404);
    }, 120_000);
  });

  describe('for a device', () => {
    const bytes = randomBytes(200_000);
    let device: TestDevice;
    let assigned: { id: string; title: string; version: string };

    beforeAll(async () => {
      device = await house.newDevice();
      assigned = await newPackage(bytes);
      await house.asAdmin(`PUT /api/devices/${device.id}/firmware`, { package: assigned.id });
    });

    const view = async (of = device) => {
      const [found] = (await house.asAdmin(`GET /api/devices/${of.id}/firmware`)) as unknown as Json[];
      return found;
    };

    test('are told of in its shared attributes', async () => {
      const { body } = await house.call(`GET /api/v1/${device.token}/attributes`);
      expect(body).toEqual({
        shared: {
          fw_title: assigned.title,
          fw_version: assigned.version,
          fw_size: 200_000,
          fw_checksum: sha256(bytes),
          fw_checksum_algorithm: 'SHA256',
        },
      });
    });

    test('are loaded with its own credentials, whole or in parts, and what it has loaded is counted', async () => {
      const part = await ofDevice(device, { Range: 'bytes=0-99999' });
      expect({ status: part.status, range: part.headers.get('content-range') }).toEqual({
        status: 206,
        range: 'bytes 0-99999/200000',
      });
      await waitUntil(async () => (await view())?.['bytes'] === 100_000, { what: 'half of it is counted' });
      expect(await view()).toMatchObject({ state: 'downloading', package: assigned.id, rollout: null });
      const rest = await ofDevice(device, { Range: 'bytes=100000-', 'If-Range': part.headers.get('etag') ?? '' });
      expect(Buffer.concat([part.bytes, rest.bytes]).equals(bytes)).toBe(true);
      const whole = await ofDevice(device);
      expect(whole.bytes.equals(bytes)).toBe(true);
      expect(Object.fromEntries(whole.headers)).toMatchObject({
        'content-length': '200000',
        etag: `"${sha256(bytes)}"`,
        'accept-ranges': 'bytes',
        'x-firmware-title': encodeURIComponent(assigned.title),
        'x-firmware-version': assigned.version,
      });
    });

    test('are not sent again to who has them, and not beyond their end', async () => {
      expect(await ofDevice(device, { 'If-None-Match': `"${sha256(bytes)}"` })).toMatchObject({ status: 304 });
      const beyond = await ofDevice(device, { Range: 'bytes=200000-' });
      expect({ status: beyond.status, range: beyond.headers.get('content-range') }).toEqual({
        status: 416,
        range: 'bytes */200000',
      });
    });

    test('are not for others', async () => {
      const other = await house.newDevice();
      expect(JSON.parse((await ofDevice(other)).bytes.toString())).toMatchObject({ code: 'FIRMWARE_NOT_ASSIGNED' });
      expect((await download('/firmware', house.authorization)).status).toBe(403);
      const nobody = await download('/firmware', 'Bearer nobody');
      expect({ status: nobody.status, challenge: nobody.headers.get('www-authenticate') }).toMatchObject({
        status: 401,
        challenge: expect.stringContaining('Basic'),
      });
      const software = await download('/firmware?kind=software', `Bearer ${device.token}`);
      expect(software.status).toBe(404);
    });

    test('go through the states that it reports with its telemetry', async () => {
      const say = (values: object) => house.call(`POST /api/v1/${device.token}/telemetry`, values);
      const reach = (state: string) =>
        waitUntil(async () => (await view())?.['state'] === state, { what: `it is ${state}` });
      await say({ fw_state: 'DOWNLOADED', current_fw_title: 'old', current_fw_version: '0' });
      await reach('downloaded');
      await say({ fw_state: 'FAILED', fw_error: 'checksum' });
      await reach('failed');
      expect(await view()).toMatchObject({ error: 'checksum' });
      await say({ fw_state: 'DOWNLOADING' });
      await reach('downloading');
      await say({ fw_state: 'UPDATED', current_fw_title: assigned.title, current_fw_version: assigned.version });
      await reach('updated');
      await say({ fw_state: 'FAILED' });
      await say({ fw_state: 'IDLE' });
      expect(await view()).toMatchObject({ state: 'updated', error: null, bytes: 200_000 });
    });

    test('are told of again when they are assigned again after a failure', async () => {
      const own = await house.newDevice();
      const version = async () => (await house.asAdmin(`GET /api/devices/${own.id}/attributes/versions`))['version'];
      const assign = () => house.asAdmin(`PUT /api/devices/${own.id}/firmware`, { package: assigned.id });
      await assign();
      await assign();
      expect(await version()).toBe(1);
      await house.call(`POST /api/v1/${own.token}/telemetry`, { fw_state: 'FAILED' });
      await waitUntil(async () => (await view(own))?.['state'] === 'failed', { what: 'it has failed' });
      await assign();
      expect(await view(own)).toMatchObject({ state: 'queued', error: null });
      expect(await version()).toBe(2);
      await house.asAdmin(`DELETE /api/devices/${own.id}`);
    });

    test('are replaced and taken away, and in use until then', async () => {
      const later = await newPackage(randomBytes(10));
      expect(await asAdmin(`DELETE /api/firmware/${assigned.id}`)).toMatchObject({
        status: 409,
        body: { code: 'FIRMWARE_IN_USE' },
      });
      await house.asAdmin(`PUT /api/devices/${device.id}/firmware`, { package: later.id });
      expect(await view()).toMatchObject({ package: later.id, state: 'queued', bytes: 0 });
      expect((await asAdmin(`DELETE /api/firmware/${assigned.id}`)).status).toBe(204);
      expect((await asAdmin(`DELETE /api/devices/${device.id}/firmware?kind=firmware`)).status).toBe(204);
      expect(await view()).toBeUndefined();
      expect((await house.call(`GET /api/v1/${device.token}/attributes`)).body).toEqual({});
      expect((await asAdmin(`DELETE /api/firmware/${later.id}`)).status).toBe(204);
    });

    test('must be there', async () => {
      const missing = { package: device.id };
      expect(await asAdmin(`PUT /api/devices/${device.id}/firmware`, missing)).toMatchObject({ status: 404 });
      expect(await asAdmin(`PUT /api/devices/${assigned.id}/firmware`, missing)).toMatchObject({ status: 404 });
    });
  });
});
