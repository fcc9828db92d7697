import { spawn } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { projectFolder, tempDir } from '#testing';
import { NEUTRAL, programOf, startEmbedded, type EmbeddedHouse } from './house.ts';
import { administrator, newName, newUser } from './people.ts';
import { settledLedger } from './readings.ts';
import { read, type Visitor } from './visitor.ts';

const { E2E_URL } = process.env;

jest.setTimeout(60_000);

/** A platform that has no way to find out where a device is. */
const NOWHERE = {
  LOCATION_COUNTRY: undefined,
  LOCATION_STATE: undefined,
  LOCATION_LATITUDE: undefined,
  LOCATION_LONGITUDE: undefined,
};

const Outcome = z.object({ device: z.object({ id: z.string(), name: z.string() }), created: z.boolean() });
const Key = z.object({ id: z.string(), key: z.string() });
const State = z.object({ state: z.string() });

(E2E_URL ? describe.skip : describe)('npm run device -- provision --config', () => {
  let house: EmbeddedHouse;
  let admin: Visitor;
  let folder: string;

  beforeAll(async () => {
    house = await startEmbedded({ environment: NOWHERE });
    admin = await administrator(house);
    folder = (await tempDir()).path;
    const profiles = [
      ['device-profiles', 'IoT-Gateway'],
      ['asset-profiles', 'Country'],
      ['asset-profiles', 'State'],
    ];
    for (const [kind, name] of profiles) read(await admin.post(`/api/${kind}`, { name }), z.object({}));
  });
  afterAll(() => house.stop());

  const run = (...args: string[]): Promise<{ code: number | null; out: string[]; err: string[] }> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [join(projectFolder, programOf('iot-device')), 'provision', ...args], {
        env: { ...process.env, NODE_OPTIONS: undefined, ...NEUTRAL },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const written = { out: '', err: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => (written.out += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (written.err += text));
      const lines = (text: string) => text.split('\n').filter((line) => line !== '');
      child.on('close', (code) => resolve({ code, out: lines(written.out), err: lines(written.err) }));
    });

  /** Writes a file; gives its path. */
  async function config(ending: string, text: string): Promise<string> {
    const path = join(folder, `${newName('config')}${ending}`);
    await writeFile(path, text, { mode: 0o640 });
    return path;
  }

  const login = (person: { email: string; password: string }) =>
    `[thingsboard]\r\nurl: ${house.url}\r\nUsername = ${person.email}\r\npassword=${person.password}\r\n`;
  const profiles = (device = 'IoT-Gateway') =>
    `[profiles]\r\ncountry_profile_name = Country\r\nstate_profile_name = State\r\ndevice_profile_name = ${device}\r\n`;
  const place = '[location]\r\ncountry = Iceland\r\nstate = Vesturland\r\nlatitude = 64.54\r\nlongitude = -21.92\r\n';
  const device = (name: string) => `[device]\r\nname = ${name}\r\nserial = ${name}\r\n`;

  test('makes the device that the file describes, active by its handshake, and finds it when it is run again', async () => {
    const name = newName('gateway');
    const text = `# mine\r\n${login(house.admin)}${profiles()}${device(name)}${place}`;
    const path = await config('.properties', text);
    const first = await run('--config', path, '--json');
    expect([first.code, first.err]).toEqual([0, [expect.stringMatching(/^Warning: .*Vesturland in Iceland\.$/)]]);
    const made = Outcome.parse(JSON.parse(first.out[0] ?? ''));
    expect(made).toMatchObject({ created: true, device: { name } });
    expect(read(await admin.get(`/api/devices/${made.device.id}`), State)).toEqual({ state: 'active' });
    expect(await settledLedger(admin, made.device.id)).toMatchObject({ received: 4, stored: 4 });
    const kept = await readFile(path, 'utf8');
    expect(kept.slice(0, text.length)).toBe(text);
    expect(kept.slice(text.length)).toMatch(/^\r\n\[token\]\r\njwt = \S+\r\n$/);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    const again = await run('--config', path);
    expect(again.out[0]).toContain('is good');
    expect(again.out[3]).toContain(`${made.device.id}), found.`);
    expect(`${first.out.join()}${again.out.join()}`).not.toContain('eyJ');
  });

  test('takes YAML, and a provisioning key in place of a login', async () => {
    const name = newName('gateway');
    const { key } = read(await admin.post('/api/provisioning/keys', { name, maxUses: 1 }), Key);
    const yaml = (serial: string) =>
      `thingsboard: {url: "${house.url}", provisioning_key: ${key}}\nprofiles: {device_profile_name: IoT-Gateway}\n` +
      `device: {name: ${serial}, serial: ${serial}}\nlocation: {country: Iceland, state: Vesturland}\n`;
    const path = await config('.yaml', yaml(name));
    expect((await run('--config', path)).code).toBe(0);
    expect(await readFile(path, 'utf8')).toBe(yaml(name));
    const { code, err } = await run('--config', await config('.yaml', yaml(newName('another'))));
    expect(code).toBe(1);
    expect(err).toEqual([expect.stringMatching(/^Not allowed: .* Have another key made/)]);
  });

  test('is content without a location, with a warning', async () => {
    const path = await config('.ini', login(house.admin) + profiles() + device(newName('gateway')));
    const { code, out, err } = await run('--config', path);
    expect([code, err]).toEqual([0, [expect.stringMatching(/^Warning: /)]]);
    expect(out[1]).toMatch(/^2\/6 Location: none\.$/);
    expect(out[5]).toBe('6/6 Handshake: 2 readings are stored.');
  });

  test('says in one line what is wrong and what to do, as the table of its document has it', async () => {
    const user = await newUser(house);
    const cases: [string, RegExp][] = [
      [login(user) + profiles(), /^Not allowed: .*administrator or operator/],
      [login({ ...user, password: 'wrong' }) + profiles(), /^Token refresh failed: .*Put right username and password/],
      [login(house.admin) + profiles('Nothing'), /^Profile not found: .*Nothing.*\[profiles\]/],
      [login(house.admin).replace(house.url, 'http://127.0.0.1:9') + profiles(), /^Not finished: .*Check url/],
    ];
    for (const [text, message] of cases) {
      const { code, err } = await run('--config', await config('.properties', text), '--timeout', '0');
      expect([code, err]).toEqual([1, [expect.stringMatching(message)]]);
    }
    expect(await run('--config', await config('.properties', profiles()))).toMatchObject({ code: 2, out: [] });
  });
});
