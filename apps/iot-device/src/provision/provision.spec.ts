import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeWays, problem } from '../../../../libs/device-sdk/test/fake-ways.ts';
import { UsageError } from '../usage-error.ts';
import { provision } from './provision.ts';

const DEVICE = '4f3c8b1a-6c2d-4e5f-8a9b-0c1d2e3f4a5b';

describe('provision --config', () => {
  let platform: FakeWays;
  let folder: string;
  let config: string;
  let goodToken: string;
  let refusal: Record<string, ReturnType<typeof problem>>;

  const text = (extra = '') => `[thingsboard]
url = ${platform.url}
username = ada@example.com
password = secret

[profiles]
country_profile_name = Country
state_profile_name = State
device_profile_name = IoT-Gateway

[device]
name = gw-1
serial = s-1
${extra}`;
  const run = async (...args: string[]) => {
    const out: string[] = [];
    const err: string[] = [];
    const code = await provision(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
    return { code, out, err };
  };

  beforeEach(async () => {
    platform = await new FakeWays().start();
    folder = await mkdtemp(join(tmpdir(), 'provision-'));
    config = join(folder, 'config.properties');
    goodToken = 'jwt-1';
    refusal = {};
    await writeFile(config, text());
    platform.answer = ({ path, headers }) => {
      const refused = refusal[path];
      if (refused) return refused;
      if (path === '/user/login') return { status: 200, body: { token: goodToken } };
      if (path === '/telemetry') return { status: 200, body: { ok: true, batchId: 'b', accepted: 4, rejected: [] } };
      if (headers.authorization !== `Bearer ${goodToken}`) return problem(401, 'TOKEN_EXPIRED', 'Expired.');
      if (path === '/user/me') return { status: 200, body: { email: 'ada@example.com' } };
      return {
        status: 200,
        body: {
          device: { id: DEVICE, name: 'gw-1' },
          created: true,
          assets: [
            { id: DEVICE, name: 'Iran' },
            { id: DEVICE, name: 'Tehran' },
          ],
          accessToken: 'access-1',
          location: { country: 'Iran', state: 'Tehran', latitude: 35.7, longitude: 51.4, source: 'ip' },
        },
      };
    };
  });

  afterEach(async () => {
    await platform.stop();
    await rm(folder, { recursive: true });
  });

  it('tells its six steps, keeps both tokens, and shows neither', async () => {
    const { code, out, err } = await run('--config', config);
    const keptIn = `${config}.device.json`;
    expect({ code, out, err }).toEqual({
      code: 0,
      out: [
        `1/6 Authentication: logged in as ada@example.com at ${platform.url}; its token is kept in ${config}.`,
        '2/6 Location: Tehran, Iran (35.7, 51.4), by the address of this machine.',
        '3/6 Assets: Iran > Tehran.',
        `4/6 Device: gw-1 (${DEVICE}), made.`,
        `5/6 Credentials: the access token is kept in ${keptIn}.`,
        '6/6 Handshake: 4 readings are stored.',
        `Device ${DEVICE} is in; its token is kept in ${keptIn}.`,
      ],
      err: [],
    });
    expect(await readFile(config, 'utf8')).toBe(text('\n[token]\njwt = jwt-1\n'));
    expect(JSON.parse(await readFile(keptIn, 'utf8'))).toMatchObject({
      accessToken: 'access-1',
      handshake: { done: true },
    });
    expect(platform.asked[1]?.body).toMatchObject({
      name: 'gw-1',
      serial: 's-1',
      deviceProfile: 'IoT-Gateway',
      countryProfile: 'Country',
      stateProfile: 'State',
    });
  });

  it('checks the kept token, and logs in when it is refused', async () => {
    await run('--config', config);
    const again = await run('--config', config);
    expect(again.out[0]).toBe(`1/6 Authentication: the token in ${config} is good.`);
    goodToken = 'jwt-2';
    await run('--config', config);
    expect(await readFile(config, 'utf8')).toBe(text('\n[token]\njwt = jwt-2\n'));
    expect(platform.lines.filter((line) => line.includes('/user/'))).toEqual([
      'POST /user/login',
      'GET /user/me',
      'GET /user/me',
      'POST /user/login',
    ]);
  });

  it('asks by a provisioning key, for the place that the file says where the address says nothing', async () => {
    await writeFile(
      config,
      `[thingsboard]\nurl=${platform.url}\nprovisioning_key=${goodToken}\n[profiles]\ndevice_profile_name=G\n` +
        '[location]\ncountry=Iran\nstate=Tehran\nlatitude=35.7\nlongitude=51.4\n',
    );
    const { code, out } = await run('--config', config);
    expect([code, out[0]]).toEqual([0, `1/6 Authentication: by a provisioning key, at ${platform.url}.`]);
    expect(platform.asked[0]?.body).toMatchObject({
      fallbackLocation: { country: 'Iran', state: 'Tehran', latitude: 35.7, longitude: 51.4 },
    });
  });

  it('prints one document with --json, with the token only when it is asked for', async () => {
    const { out } = await run('--config', config, '--json', '--state', folder);
    expect(out).toHaveLength(1);
    expect(JSON.parse(out[0] ?? '')).toMatchObject({
      ok: true,
      device: { id: DEVICE },
      handshake: { accepted: 4 },
      tokenKeptIn: join(folder, 'zero-touch-gw-1.json'),
    });
    expect(out[0]).not.toContain('access-1');
    const shown = await run('--config', config, '--json', '--show-token');
    expect(JSON.parse(shown.out[0] ?? '')).toMatchObject({ accessToken: 'access-1' });
    expect((await run('--config', config, '--show-token')).out).toContain('Access token: access-1');
  });

  it.each([
    [
      '/user/login',
      problem(401, 'BAD_CREDENTIALS', 'Wrong email or password.'),
      /^Token refresh failed: Wrong email or password\. Put right username and password/,
    ],
    [
      '/api/provision',
      problem(403, 'FORBIDDEN', 'Not for users.'),
      /^Not allowed: Not for users\. The username in .* has to be an administrator/,
    ],
    [
      '/api/provision',
      problem(404, 'PROFILE_NOT_FOUND', 'There is no device profile IoT-Gateway.'),
      /^Profile not found: There is no device profile IoT-Gateway\. Put right the names in \[profiles\]/,
    ],
    ['/api/provision', problem(409, 'DEVICE_LIMIT_REACHED', 'The limit is 3.'), /^No room: The limit is 3\./],
    ['/telemetry', problem(503, 'UNAVAILABLE', 'Later.'), /^Not finished: Later\. Check url in \[thingsboard\]/],
    ['/api/provision', problem(418, 'TEAPOT', 'Odd.'), /^Not finished: Odd\./],
  ])('says in one line what is wrong at %s and what to do: %j', async (path, given, message) => {
    refusal[path] = given;
    const { code, out, err } = await run('--config', config, '--timeout', '0');
    expect(code).toBe(1);
    expect(err).toHaveLength(1);
    expect(err[0]).toMatch(message);
    expect(out.join()).not.toContain('6/6');
    const json = await run('--config', config, '--timeout', '0', '--json');
    expect(JSON.parse(json.out[0] ?? '')).toMatchObject({ ok: false, code: expect.any(String) });
  });

  it('tells the warnings of the platform, and is content', async () => {
    const answer = platform.answer;
    platform.answer = async (asked, index) => {
      const given = await answer(asked, index);
      if (asked.path !== '/api/provision' || given === 'lost') return given;
      return { ...given, body: { ...Object(given.body), warnings: ['The place of 10.0.0.1 could not be found out.'] } };
    };
    const { code, err } = await run('--config', config);
    expect([code, err]).toEqual([0, ['Warning: The place of 10.0.0.1 could not be found out.']]);
  });

  it.each([
    ['[thingsboard]\nurl = here', /config.properties: url in \[thingsboard\] has to be an address/],
    ['[profiles]\n', /url in \[thingsboard\]/],
    [
      '[thingsboard]\nurl = http://a\nusername = a\n[profiles]\ndevice_profile_name = G',
      /needs username and password, or provisioning_key/,
    ],
    ['[thingsboard]\nurl = http://a\nprovisioning_key = k', /device_profile_name in \[profiles\] is missing/],
    [
      '[thingsboard]\nurl = http://a\nprovisioning_key = k\n[profiles]\ndevice_profile_name = G\n[location]\nlatitude = north',
      /latitude in \[location\] is not a number/,
    ],
    [
      '[thingsboard]\nurl = http://a\nprovisioning_key = k\n[profiles]\ndevice_profile_name = G\n[location]\ncountry = Iran',
      /\[location\] needs country and state/,
    ],
  ])('refuses the file %j before it asks anybody', async (content, message) => {
    await writeFile(config, content);
    await expect(run('--config', config)).rejects.toThrow(message);
    await expect(run('--config', config)).rejects.toBeInstanceOf(UsageError);
    expect(platform.asked).toEqual([]);
  });

  it.each([
    [[], /Give --config/],
    [['--confg', 'x'], /Unknown option '--confg'/],
    [['--config', 'x.properties', '--timeout', 'soon'], /--timeout must be a number/],
  ])('refuses %j', async (args, message) => {
    await expect(run(...args)).rejects.toThrow(message);
  });

  it('has a page of help', async () => {
    const { code, out } = await run('--help');
    expect([code, out.join('\n')]).toEqual([0, expect.stringContaining('--show-token')]);
  });
});
