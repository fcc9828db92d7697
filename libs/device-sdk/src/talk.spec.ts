import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../test/fake-clock.ts';
import { FakeMqttPlatform } from '../test/fake-mqtt-platform.ts';
import { FakePlatform } from '../test/fake-platform.ts';
import type { Platform } from '../test/platform.ts';
import { until } from '../test/until.ts';
import { type DeviceOptions, FieldlineDevice } from './device.ts';
import type { FirmwareOptions } from './firmware/firmware.ts';

const transports: [string, () => Platform][] = [
  ['socket.io', () => new FakePlatform()],
  ['MQTT', () => new FakeMqttPlatform()],
];

describe.each(transports)('a device that is spoken to over %s', (_, createPlatform) => {
  let platform: Platform;
  let clock: FakeClock;
  let devices: FieldlineDevice[];
  let folder: string;

  const create = (options: Partial<DeviceOptions> = {}) => {
    const device = new FieldlineDevice({ ...platform.options, token: 'good', clock, random: () => 0.5, ...options });
    devices.push(device);
    return device;
  };
  const connected = async (prepare: (device: FieldlineDevice) => void = () => undefined) => {
    const device = create();
    prepare(device);
    const up = new Promise((resolve) => device.once('connected', () => resolve(undefined)));
    await device.connect();
    await up;
    return device;
  };
  const command = (number: number, method: string, params: unknown = null) => ({
    id: String(number),
    number,
    method,
    params,
  });
  const listening = () => until('it takes commands', () => platform.takesCommands, clock);

  beforeEach(async () => {
    clock = new FakeClock();
    devices = [];
    platform = await createPlatform().start();
    folder = await mkdtemp(join(tmpdir(), 'talk-'));
  });

  afterEach(async () => {
    await Promise.all(devices.map((device) => device.close()));
    await platform.stop();
    await rm(folder, { recursive: true });
  });

  describe('by commands', () => {
    it('answers with what its handler returns, and with why it could not', async () => {
      await connected((device) =>
        device
          .onCommand('add', async ({ params }) =>
            Object.values(params as Record<string, number>).reduce((a, b) => a + b),
          )
          .onCommand('fail', () => {
            throw new Error('The pump is stuck.');
          }),
      );
      await listening();
      platform.sendCommand(command(1, 'add', { a: 1, b: 2 }));
      platform.sendCommand(command(2, 'fail'));
      platform.sendCommand(command(3, 'unheard-of'));
      await until('all are answered', () => platform.answers.length === 3);
      expect(platform.answers.sort((a, b) => a.number - b.number)).toEqual([
        { number: 1, outcome: { ok: true, result: 3 } },
        { number: 2, outcome: { ok: false, error: 'The pump is stuck.' } },
        { number: 3, outcome: { ok: false, error: 'This device knows no command unheard-of.' } },
      ]);
    });

    it('takes one without parameters', async () => {
      await connected((device) => device.onCommand('echo', ({ params }) => ({ params })));
      await listening();
      platform.sendCommand(command(1, 'echo', undefined));
      await until('it is answered', () => platform.answers.length === 1);
      expect(platform.answers[0]?.outcome).toEqual({ ok: true, result: { params: null } });
    });

    it('takes those that have no handler of their own with one for all', async () => {
      await connected((device) =>
        device.onCommand(undefined, ({ method }) => method).onCommand('named', () => 'the named one'),
      );
      await listening();
      platform.sendCommand(command(1, 'other'));
      platform.sendCommand(command(2, 'named'));
      await until('both are answered', () => platform.answers.length === 2);
      expect(platform.answers.map(({ outcome }) => outcome.ok && outcome.result).sort()).toEqual([
        'other',
        'the named one',
      ]);
    });

    it('carries out one that is delivered twice once, and gives the same answer twice', async () => {
      let runs = 0;
      await connected((device) => device.onCommand('count', () => (runs += 1)));
      await listening();
      platform.sendCommand(command(1, 'count'));
      platform.sendCommand(command(1, 'count'));
      await until('both are answered', () => platform.answers.length === 2);
      platform.cut();
      await until('it is back', () => platform.links === 0);
      await listening();
      platform.sendCommand(command(1, 'count'));
      await until('it is answered again', () => platform.answers.length >= 3);
      expect(runs).toBe(1);
      expect(new Set(platform.answers.map(({ outcome }) => outcome.ok && outcome.result))).toEqual(new Set([1]));
    });

    it('gives the answer over the next link when the one that brought the command is lost', async () => {
      let finish: ((result: string) => void) | undefined;
      await connected((device) => device.onCommand('slow', () => new Promise((resolve) => (finish = resolve))));
      await listening();
      platform.sendCommand(command(1, 'slow'));
      await until('it began', () => finish !== undefined);
      platform.cut();
      await until('the link is lost', () => platform.links === 0);
      finish?.('done');
      await until('it is answered', () => platform.answers.length > 0, clock, 100);
      expect(platform.answers[0]).toEqual({ number: 1, outcome: { ok: true, result: 'done' } });
    });

    it('says that an answer is too long or has no form as JSON', async () => {
      await connected((device) => device.onCommand('long', () => 'x'.repeat(70_000)).onCommand('odd', () => 10n));
      await listening();
      platform.sendCommand(command(1, 'long'));
      platform.sendCommand(command(2, 'odd'));
      await until('both are answered', () => platform.answers.length === 2);
      expect(platform.answers.map(({ outcome }) => outcome)).toEqual([
        { ok: false, error: 'The answer has 70002 bytes and may have 60000.' },
        { ok: false, error: expect.stringMatching(/BigInt/) },
      ]);
    });
  });

  describe('by attributes', () => {
    it('reports its own, of each key the newest value, once there is a link', async () => {
      const device = create();
      const reports = [device.reportAttributes({ a: 1, b: 1 }), device.reportAttributes({ b: 2, c: null })];
      await device.connect();
      await Promise.all(reports);
      expect(platform.reported).toEqual([{ a: 1, b: 2, c: null }]);
    });

    it('reports again what the platform may not have', async () => {
      const device = await connected();
      platform.take = () => {
        if (platform.reported.length > 1) return { ok: true };
        platform.cut();
        return undefined;
      };
      let done = false;
      void device.reportAttributes({ a: 1 }).then(() => (done = true));
      await until('the platform has it', () => done, clock, 100);
      expect(platform.reported).toEqual([{ a: 1 }, { a: 1 }]);
    });

    it('finds the one that the platform does not take, and reports the others', async () => {
      const device = create();
      platform.take = (attributes) =>
        'bad' in attributes ? { ok: false, code: 'BAD_ATTRIBUTE', message: 'No.' } : { ok: true };
      const [good, bad] = [device.reportAttributes({ a: 1, b: 2 }), device.reportAttributes({ bad: 1 })];
      await device.connect();
      await expect(bad).rejects.toMatchObject({ code: platform.seen('BAD_ATTRIBUTE'), message: 'No.' });
      await good;
      expect(platform.client).toEqual({ a: 1, b: 2 });
    });

    it('asks for those of both scopes', async () => {
      platform.client = { a: 1, b: 2 };
      platform.shared = { s: { deep: true } };
      const device = await connected();
      expect(await device.getAttributes({ client: ['a', 'missing'] })).toEqual({ client: { a: 1 }, shared: {} });
      expect(await device.getAttributes({ shared: true })).toEqual({ client: {}, shared: { s: { deep: true } } });
      expect(await device.getAttributes({ client: true, shared: ['s'] })).toEqual({
        client: { a: 1, b: 2 },
        shared: { s: { deep: true } },
      });
    });

    it('says that there is nobody to ask without a link', async () => {
      await expect(create().getAttributes({ shared: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });

    it('follows the shared ones: all at first, then what is changed and deleted, each once', async () => {
      platform.shared = { interval: 5, mode: 'eco' };
      const changes: object[] = [];
      const device = await connected((one) => one.onAttributes((change) => changes.push(change)));
      await until('it has them', () => changes.length === 1);
      platform.share({ interval: 10, mode: 'eco' });
      await until('it knows of the change', () => changes.length === 2);
      platform.share({}, ['mode']);
      await until('it knows of the deletion', () => changes.length === 3);
      expect(changes).toMatchObject([
        { changed: { interval: 5, mode: 'eco' }, deleted: [] },
        { changed: { interval: 10 }, deleted: [] },
        { changed: {}, deleted: ['mode'] },
      ]);
      expect(device.sharedAttributes).toEqual({ interval: 10 });
    });

    it('learns with the next link what it has missed', async () => {
      platform.shared = { interval: 5, mode: 'eco' };
      const changes: object[] = [];
      await connected((device) => device.onAttributes((change) => changes.push(change)));
      await until('it has them', () => changes.length === 1);
      platform.shared = { interval: 7 };
      platform.cut();
      await until('it has caught up', () => changes.length === 2, clock);
      expect(changes[1]).toEqual({ changed: { interval: 7 }, deleted: ['mode'] });
    });
  });

  describe('by firmware', () => {
    const image = randomBytes(200_000);
    const assign = (version: string, bytes: Buffer = image, checksumOf: Buffer = bytes) => {
      platform.firmware = bytes;
      return {
        fw_title: 'pump',
        fw_version: version,
        fw_size: bytes.length,
        fw_checksum: createHash('sha256').update(checksumOf).digest('hex'),
        fw_checksum_algorithm: 'SHA256',
      };
    };
    const statesOf = () => platform.states.map(({ state }) => state).filter((state) => state !== 'DOWNLOADING');
    const installed: Buffer[] = [];
    const firmware = (options: Partial<FirmwareOptions> = {}): FirmwareOptions => ({
      current: { title: 'pump', version: '1.0' },
      folder,
      install: async ({ file }) => void installed.push(await readFile(file)),
      ...options,
    });

    beforeEach(() => {
      installed.length = 0;
    });

    it('loads, checks and installs what it is assigned, tells of each step, and leaves no file', async () => {
      platform.shared = assign('2.0');
      await connected((device) => device.onFirmware(firmware()));
      await until('it is installed', () => statesOf().includes('UPDATED'), clock);
      expect(statesOf()).toEqual(['DOWNLOADED', 'VERIFIED', 'UPDATING', 'UPDATED']);
      expect(platform.states[0]?.state).toBe('DOWNLOADING');
      expect(platform.states.at(-1)?.version).toBe('2.0');
      expect(installed).toEqual([image]);
      expect(await readdir(folder)).toEqual([]);
    });

    it('is told of a package while it is connected', async () => {
      await connected((device) => device.onFirmware(firmware()));
      await listeningToAttributes();
      platform.share(assign('2.0'));
      await until('it is installed', () => statesOf().includes('UPDATED'), clock);
      expect(installed).toHaveLength(1);
    });

    it('goes on where it was when the link is lost', async () => {
      platform.shared = assign('2.0');
      const broken = new Set<number>();
      platform.give = (offset) => {
        if (offset < 60_000 || offset > 170_000 || broken.has(offset)) return true;
        broken.add(offset);
        return false;
      };
      await connected((device) => device.onFirmware(firmware()));
      await until('it is installed', () => statesOf().includes('UPDATED'), clock, 200);
      expect(installed).toEqual([image]);
      expect(broken.size).toBeGreaterThan(1);
      expect(platform.loads.filter((offset) => offset === 0)).toHaveLength(1);
    });

    it('goes on where the run before has ended', async () => {
      platform.shared = assign('2.0');
      platform.give = (offset) => offset < 100_000;
      let have = 0;
      const before = await connected((device) => device.onFirmware(firmware()));
      before.on('firmware', ({ bytes = 0 }) => (have = bytes));
      await until('a part is there', () => have > 0, clock, 100);
      await before.close();
      platform.give = () => true;
      platform.loads.length = 0;
      await connected((device) => device.onFirmware(firmware()));
      await until('it is installed', () => statesOf().includes('UPDATED'), clock, 100);
      expect(Math.min(...platform.loads)).toBeGreaterThan(0);
      expect(installed).toEqual([image]);
    });

    it('loads a file with a wrong checksum again, a few times, and installs it never', async () => {
      platform.shared = assign('2.0', image, randomBytes(10));
      await connected((device) => device.onFirmware(firmware()));
      await until('it gave up', () => statesOf().filter((state) => state === 'FAILED').length === 3, clock);
      expect(platform.states.at(-1)?.error).toMatch(/checksum .* loaded 3 times/);
      expect(installed).toEqual([]);
      platform.firmware = image;
      platform.share(assign('2.0'));
      await until('the right one is installed', () => statesOf().includes('UPDATED'), clock);
    });

    it('tells why an installation failed, and tries again when it is assigned again', async () => {
      platform.shared = assign('2.0');
      let installs = 0;
      const install = () => {
        installs += 1;
        if (installs === 1) throw new Error('The flash is worn out.');
      };
      await connected((device) => device.onFirmware(firmware({ install })));
      await until('it failed', () => statesOf().includes('FAILED'), clock);
      expect(platform.states.at(-1)).toEqual({
        state: 'FAILED',
        version: expect.anything(),
        error: 'The flash is worn out.',
      });
      platform.share(platform.shared);
      await until('it is installed', () => statesOf().includes('UPDATED'), clock);
      expect(installs).toBe(2);
    });

    it('tells after a restart that what it was to have runs', async () => {
      platform.shared = assign('2.0');
      await connected((device) => device.onFirmware(firmware({ current: { title: 'pump', version: '2.0' } })));
      await until('it told', () => platform.states.length === 1, clock);
      expect(statesOf()).toEqual(['UPDATED']);
      expect(platform.loads).toEqual([]);
    });

    it('does not install for ever what never comes up', async () => {
      platform.shared = assign('2.0');
      const restart = () => new Promise<void>(() => undefined);
      for (let run = 0; run < 3; run += 1) {
        const device = await connected((one) => one.onFirmware(firmware({ install: restart })));
        await until('it installs', () => statesOf().filter((state) => state === 'UPDATING').length > run, clock);
        await device.close();
      }
      await connected((device) => device.onFirmware(firmware({ install: restart })));
      await until('it gives up', () => statesOf().includes('FAILED'), clock);
      expect(platform.states.at(-1)?.error).toBe('The device did not come up with 2.0 after 3 installations.');
    });

    const listeningToAttributes = () => until('it knows the attributes', () => platform.listensToAttributes, clock);
  });
});
