import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FieldlineDevice, SDK_VERSION } from '#device-sdk';
import { FakeClock } from '../../../libs/device-sdk/test/fake-clock.ts';
import { FakeMqttPlatform } from '../../../libs/device-sdk/test/fake-mqtt-platform.ts';
import { FakePlatform } from '../../../libs/device-sdk/test/fake-platform.ts';
import type { Platform } from '../../../libs/device-sdk/test/platform.ts';
import { until } from '../../../libs/device-sdk/test/until.ts';
import { type Pace, createPace } from './schedule.ts';
import { createSensor } from './signals.ts';
import { bringToLife } from './simulated-device.ts';

const transports: [string, () => Platform][] = [
  ['socket.io', () => new FakePlatform()],
  ['MQTT', () => new FakeMqttPlatform()],
];

describe.each(transports)('a simulated device over %s', (_, createPlatform) => {
  let platform: Platform;
  let clock: FakeClock;
  let folder: string;
  let pace: Pace;
  let told: string[];
  let devices: FieldlineDevice[];

  const sensors = ['a', 'b'].map((name) => createSensor(name, { sentAs: name, seed: 1 }));
  /** Readings that come due in so many milliseconds. */
  const readingsIn = (ms: number) => {
    pace.takeDue(clock.now());
    clock.advance(ms);
    return pace.takeDue(clock.now()).length;
  };
  const start = async (keepsFirmware = false) => {
    const device = new FieldlineDevice({ ...platform.options, token: 't', clock, random: () => 0.5 });
    devices.push(device);
    pace = createPace([{ sensors, startTs: clock.now() }], 1);
    await bringToLife({
      device,
      pace,
      sensors: sensors.length,
      rate: 1,
      clock,
      firmwareFolder: folder,
      keepsFirmware,
      tell: (sentence) => told.push(sentence),
    });
    await device.connect();
    await until('it takes commands', () => platform.takesCommands && platform.reported.length > 0);
  };
  const answerTo = async (method: string, params: unknown = null) => {
    const number = platform.answers.length + 1;
    platform.sendCommand({ id: String(number), number, method, params });
    await until('it is answered', () => platform.answers.length === number);
    return platform.answers[number - 1]?.outcome;
  };

  beforeEach(async () => {
    clock = new FakeClock();
    told = [];
    devices = [];
    folder = await mkdtemp(join(tmpdir(), 'simulated-'));
    platform = await createPlatform().start();
  });

  afterEach(async () => {
    await Promise.all(devices.map((device) => device.close()));
    await platform.stop();
    await rm(folder, { recursive: true });
  });

  it('tells what it is and answers a ping', async () => {
    await start();
    expect(platform.client).toEqual({ model: 'fieldline-simulator', sdk: SDK_VERSION, interval: 2 });
    expect(await answerTo('ping')).toEqual({ ok: true, result: 'pong' });
    expect(await answerTo('sing')).toEqual({ ok: false, error: 'This device knows no command sing.' });
  });

  it('keeps to the interval that a command gives it', async () => {
    await start();
    expect(readingsIn(10_000)).toBe(10);
    expect(await answerTo('set-interval', { seconds: 0.5 })).toEqual({ ok: true, result: { interval: 0.5 } });
    expect(readingsIn(10_000)).toBe(40);
    await until('it told', () => platform.client['interval'] === 0.5);
    expect(await answerTo('set-interval', { seconds: -1 })).toEqual({
      ok: false,
      error: 'set-interval takes {"seconds": 0.001 to 86400}.',
    });
  });

  it('keeps to the interval of its shared attributes, at first and when it changes', async () => {
    platform.shared = { interval: 1 };
    await start();
    await until('it has told', () => platform.client['interval'] === 1);
    expect(readingsIn(10_000)).toBe(20);
    platform.share({ interval: 'soon' });
    platform.share({ interval: 20 });
    await until('it has told', () => platform.client['interval'] === 20);
    expect(readingsIn(100_000)).toBe(10);
  });

  it('takes no readings while it pretends to restart', async () => {
    await start();
    expect(await answerTo('reboot')).toEqual({ ok: true, result: { restarts: true, secondsAway: 3 } });
    expect(readingsIn(3_000)).toBe(0);
    expect(readingsIn(5_000)).toBe(5);
    await until('it told', () => platform.client['reboots'] === 1);
  });

  it('pretends to install firmware, and knows after a restart what it has', async () => {
    platform.firmware = randomBytes(50_000);
    platform.shared = {
      fw_title: 'new',
      fw_version: '2.0',
      fw_size: platform.firmware.length,
      fw_checksum: createHash('sha256').update(platform.firmware).digest('hex'),
      fw_checksum_algorithm: 'SHA256',
    };
    const lastState = () => platform.states.at(-1)?.state;
    await start(true);
    await until('it is installed', () => lastState() === 'UPDATED', clock);
    expect(told).toEqual(['pretends to install new 2.0 (50000 bytes).', 'runs new 2.0.']);
    await devices[0]?.close();
    platform.loads.length = 0;
    platform.states.length = 0;
    await start(true);
    await until('it told what it has', () => lastState() === 'UPDATED', clock);
    expect(platform.loads).toEqual([]);
  });
});
