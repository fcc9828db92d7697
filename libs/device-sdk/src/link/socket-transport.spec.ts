import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fake-clock.ts';
import { FakePlatform } from '../../test/fake-platform.ts';
import { until } from '../../test/until.ts';
import { type DeviceOptions, FieldlineDevice } from '../device.ts';

describe('a link by socket.io', () => {
  let platform: FakePlatform;
  let clock: FakeClock;
  let device: FieldlineDevice;

  const create = (options: Partial<DeviceOptions> = {}) => {
    device = new FieldlineDevice({ ...platform.options, token: 'good', clock, random: () => 0.5, ...options });
    return device;
  };
  const renewing = { token: undefined, getToken: async (refused?: string) => (refused ? 'second' : 'first') };
  const connect = async () => {
    await device.connect();
    await until('it is connected', () => platform.links === 1);
  };

  beforeEach(async () => {
    clock = new FakeClock();
    platform = await new FakePlatform().start();
  });

  afterEach(async () => {
    await device.close();
    await platform.stop();
  });

  it('is given a new token before the old one ends', async () => {
    const refreshed: unknown[] = [];
    platform.refresh = (request) => {
      refreshed.push(request);
      return { ok: true, expiresAt: 1 };
    };
    create(renewing);
    await connect();
    platform.connections[0]?.emit('auth:expiring', { expiresAt: 0 });
    await until('it refreshed', () => refreshed.length === 1);
    expect(refreshed).toEqual([{ token: 'second' }]);
    expect(platform.links).toBe(1);
  });

  it('tells when the platform does not take the new token', async () => {
    platform.refresh = () => ({ ok: false, code: 'TOKEN_REVOKED', message: 'Gone.' });
    create(renewing);
    const errors: unknown[] = [];
    device.on('auth-error', (trouble) => errors.push(trouble.code));
    await connect();
    platform.connections[0]?.emit('auth:expiring', {});
    await until('it is told', () => errors.length === 1);
    expect(errors).toEqual(['TOKEN_REVOKED']);
  });

  it('says in its handshake what the device listens to, and later what has come to that', async () => {
    create().onCommand('ping', () => 'pong');
    await connect();
    expect(platform.listens).toEqual([['commands']]);
    device.onCommand('pong', () => 'ping').onAttributes(() => undefined);
    await until('it listens to both', () => platform.listens.length === 2);
    expect(platform.listens[1]).toEqual(['commands', 'attributes']);
    expect(platform.handshakes).toHaveLength(1);
  });

  it('tells that a command is there when its answer takes longer, and gives the answer afterwards', async () => {
    let finish: (result: string) => void = () => undefined;
    create().onCommand('slow', () => new Promise((resolve) => (finish = resolve)));
    await connect();
    platform.sendCommand({ id: '7', number: 7, method: 'slow', params: null });
    await until('it is delivered', () => platform.delivered.length === 1, clock, 100);
    expect(platform.answers).toEqual([]);
    finish('done');
    await until('it is answered', () => platform.answers.length === 1);
    expect(platform.answers).toEqual([{ number: 7, outcome: { ok: true, result: 'done' } }]);
  });

  it.each([
    [{ token: 'good' }, 'Bearer good'],
    [{ userName: 'abc123/44:8A:5B:9C:70:93', password: 'ß' }, `Basic ${btoa('abc123/44:8A:5B:9C:70:93:\u00c3\u009f')}`],
  ])('loads firmware with the credentials of the device: %j', async (credentials, header) => {
    platform.shared = { fw_title: 'a', fw_version: '1', fw_size: 4, fw_checksum: 'f'.repeat(64) };
    platform.firmware = Buffer.from('1234');
    const folder = await mkdtemp(join(tmpdir(), 'socket-'));
    create({ token: undefined, credentials }).onFirmware({
      current: { title: 'a', version: '0' },
      folder,
      install: () => undefined,
    });
    await connect();
    await until('it is given up', () => platform.states.filter(({ state }) => state === 'FAILED').length === 3, clock);
    expect(platform.authorizations).toEqual([header, header, header]);
    await rm(folder, { recursive: true });
  });
});
