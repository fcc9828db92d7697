import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { projectFolder, tempDir, waitUntil } from '#testing';
import { NEUTRAL, programOf, startEmbedded, type EmbeddedHouse } from './house.ts';
import { LossyProxy, type Fate } from './lossy-proxy.ts';
import { administrator, newCustomer, newName, newUser } from './people.ts';
import { settledLedger } from './readings.ts';
import { read, type Visitor } from './visitor.ts';

const { E2E_URL } = process.env;

jest.setTimeout(240_000);

const MASTER_KEY = `master-${randomUUID()}`;
const Found = z.object({
  items: z.array(z.object({ id: z.string(), name: z.string() })),
  nextCursor: z.string().nullable(),
});
const Owned = z.object({ owner: z.string().nullable() });
const Customer = z.object({ number: z.string() });

/** A program of ours at work. */
interface Program {
  child: ChildProcess;
  /** What it has written so far, to either side. */
  written: string[];
  ended: Promise<number | null>;
}

/** A device that is to get in: its flags, and what has to be true of it in the end besides that its readings are stored. */
interface Newcomer {
  flags: string[];
  settled?: (id: string) => Promise<void>;
}

(E2E_URL ? describe.skip : describe)('a device that loses replies while it gets in', () => {
  let house: EmbeddedHouse;
  let admin: Visitor;
  let proxy: LossyProxy;
  let state: string;
  let profile: string;
  const programs = new Set<Program>();

  beforeAll(async () => {
    house = await startEmbedded({
      environment: { DEVICE_MASTER_SECRET_KEY: MASTER_KEY, PROVISIONING_RATE: '100000', RATE_LIMIT: 'off' },
    });
    admin = await administrator(house);
    profile = newName('profile');
    for (const kind of ['device', 'asset'])
      read(await admin.post(`/api/${kind}-profiles`, { name: profile }), z.object({}));
  });
  afterAll(() => house.stop());

  beforeEach(async () => {
    proxy = await LossyProxy.start(house.url);
    state = (await tempDir()).path;
  });
  afterEach(async () => {
    for (const { child } of programs) child.kill('SIGKILL');
    await Promise.all([...programs].map(({ ended }) => ended));
    programs.clear();
    await proxy.stop();
  });

  function startProgram(args: string[]): Program {
    const child = spawn(process.execPath, [join(projectFolder, programOf('iot-device')), ...args], {
      cwd: projectFolder,
      env: { ...process.env, NODE_OPTIONS: undefined, ...NEUTRAL },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const written: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => written.push(text));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const program = { child, written, ended };
    programs.add(program);
    return program;
  }

  const startDevice = (flags: string[]): Program =>
    startProgram(['--url', proxy.url, '--state', state, '--rate', '20', '--sensors', 'temperature', ...flags]);

  /** Ids of all devices there are. */
  async function everyDevice(): Promise<Set<string>> {
    const ids = new Set<string>();
    for (let cursor: string | null = ''; cursor !== null;) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = read(await admin.get(`/api/devices?limit=100${after}`), Found);
      for (const { id } of page.items) ids.add(id);
      cursor = page.nextCursor;
    }
    return ids;
  }

  /** The one device that has come since. */
  async function newcomerSince(before: Set<string>): Promise<string> {
    const [id, ...others] = [...(await everyDevice())].filter((known) => !before.has(known));
    if (id === undefined || others.length > 0)
      throw new Error(`${others.length + (id ? 1 : 0)} devices have come, not one.`);
    return id;
  }

  /** The id of a device that has come since, with more readings stored than `stored`, and some of its sensor. */
  async function hasReadings(before: Set<string>, stored = 0): Promise<string | false> {
    const [known] = [...(await everyDevice())].filter((device) => !before.has(device));
    if (known === undefined) return false;
    if ((await settledLedger(admin, known)).stored <= stored) return false;
    return (await admin.get(`/api/devices/${known}/latest`)).text.includes('temperature') && known;
  }

  /** Waits until the program's device is in and its readings are stored, then ends it; gives the device's id. */
  async function comesIn(program: Program, newcomer: Newcomer, before: Set<string>, storedBefore = 0): Promise<string> {
    const id = await waitUntil(
      async () => {
        if (program.child.exitCode !== null) throw new Error(`The device has ended: ${program.written.join('')}`);
        return hasReadings(before, storedBefore);
      },
      { what: 'readings of the device are stored', timeoutMs: 30_000 },
    );
    await newcomer.settled?.(id);
    program.child.kill('SIGTERM');
    expect([await program.ended, program.written.join('')]).toEqual([0, expect.stringContaining('queued 0')]);
    programs.delete(program);
    expect(await newcomerSince(before)).toBe(id);
    const { received, stored, duplicate } = await settledLedger(admin, id);
    expect(stored).toBeGreaterThan(0);
    expect(received).toBe(stored + duplicate);
    return id;
  }

  const newMacPrefix = (): string =>
    `02:${(randomBytes(3).toString('hex').match(/../g) ?? []).join(':')}`.toUpperCase();

  const ways: Record<string, () => Promise<Newcomer>> = {
    debug: async () => ({ flags: ['--provision', 'debug', '--mac-prefix', newMacPrefix()] }),

    'two-step': async () => {
      const customer = await newCustomer(house, { deviceLimit: 1 });
      const { number } = read(await admin.get(`/api/customers/${customer}`), Customer);
      return { flags: ['--provision', 'two-step', '--customer', number, '--mac-prefix', newMacPrefix()] };
    },

    uuid: async () => ({ flags: ['--provision', 'uuid', '--secret-key', MASTER_KEY] }),

    'zero-touch': async () => {
      const name = newName('gateway');
      const [country, region] = [newName('country'), newName('region')];
      return {
        flags: [
          ...['--provision', 'zero-touch', '--email', house.admin.email, '--password', house.admin.password],
          ...['--name', name, '--serial', name, '--device-profile', profile],
          ...['--country-profile', profile, '--state-profile', profile],
          ...['--country', country, '--region', region, '--latitude', '35.7', '--longitude', '51.4'],
        ],
        settled: async (id) => {
          await isOnlyAsset(country);
          await isOnlyAsset(region);
          const { text } = await admin.get(`/api/devices/${id}/latest`);
          for (const sensor of ['serial', 'latitude', 'longitude', 'system']) expect(text).toContain(`"${sensor}"`);
        },
      };
    },

    pair: async () => {
      const person = await newUser(house);
      const [pairKey, ownerKey] = [randomUUID(), randomUUID()];
      return {
        flags: [
          ...['--provision', 'pair', '--pair-key', pairKey, '--owner-key', ownerKey],
          ...['--mac-prefix', newMacPrefix()],
        ],
        settled: async (id) => {
          await waitUntil(
            async () => (await person.visitor.post('/api/claims', { pairKey, ownerKey })).status === 200,
            {
              what: 'the device can be claimed',
              timeoutMs: 30_000,
            },
          );
          expect(read(await admin.get(`/api/devices/${id}`), Owned)).toEqual({ owner: person.id });
        },
      };
    },
  };

  async function isOnlyAsset(name: string): Promise<void> {
    const { items } = read(await admin.get(`/api/assets?q=${encodeURIComponent(name)}`), Found);
    expect(items.map((asset) => asset.name)).toEqual([name]);
  }

  /** Runs a device for each place at which something may be lost, until nothing is left to be lost there. */
  async function atEveryPlace(
    create: () => Promise<Newcomer>,
    attempt: (newcomer: Newcomer, lost: number) => Promise<void>,
  ) {
    for (let lost = 0; ; lost += 1) {
      proxy.seen.length = 0;
      state = (await tempDir()).path;
      await attempt(await create(), lost);
      if (proxy.seen.length <= lost) return lost;
    }
  }

  const names = Object.keys(ways);

  test.each(names)('by %s ends up in, as one device, whichever reply is lost', async (name) => {
    const places = await atEveryPlace(ways[name]!, async (newcomer, lost) => {
      proxy.fate = (index) => (index === lost ? 'lose reply' : 'pass');
      const before = await everyDevice();
      await comesIn(startDevice(newcomer.flags), newcomer, before);
    });
    expect(places).toBeGreaterThan(0);
  });

  test.each(names)('by %s ends up in, as one device, when the first reply to every step is lost', async (name) => {
    const newcomer = await ways[name]!();
    proxy.fate = (index, line) => (proxy.seen.indexOf(line) === index ? 'lose reply' : 'pass');
    await comesIn(startDevice(newcomer.flags), newcomer, await everyDevice());
  });

  test.each(['debug', 'two-step', 'uuid', 'zero-touch'])(
    'by %s asks for nothing when it is started again',
    async (name) => {
      const newcomer = await ways[name]!();
      const before = await everyDevice();
      const id = await comesIn(startDevice(newcomer.flags), newcomer, before);
      const { stored } = await settledLedger(admin, id);
      proxy.seen.length = 0;
      expect(await comesIn(startDevice(newcomer.flags), newcomer, before, stored)).toBe(id);
      expect(proxy.seen).toEqual([]);
    },
  );

  test.each(['debug', 'two-step', 'uuid', 'zero-touch'])(
    'by %s comes back by itself when its credentials are taken away, as the device it was',
    async (name) => {
      const newcomer = await ways[name]!();
      const before = await everyDevice();
      const program = startDevice(newcomer.flags);
      const id = await waitUntil(() => hasReadings(before), { what: 'the device is in', timeoutMs: 30_000 });
      proxy.seen.length = 0;
      proxy.fate = (index, line) => (proxy.seen.indexOf(line) === index ? 'lose reply' : 'pass');
      expect((await admin.post(`/api/devices/${id}/reset`)).status).toBe(204);
      await waitUntil(() => proxy.seen.length > 0, { what: 'the device asks again', timeoutMs: 30_000 });
      const { stored } = await settledLedger(admin, id);
      expect(await comesIn(program, newcomer, before, stored)).toBe(id);
    },
  );

  test('by uuid stays in when its token ends again and again, whatever is lost of that', async () => {
    const shortLived = await startEmbedded({
      environment: { DEVICE_MASTER_SECRET_KEY: MASTER_KEY, DEVICE_JWT_SECONDS: '3' },
    });
    const visitor = await administrator(shortLived);
    await proxy.stop();
    proxy = await LossyProxy.start(shortLived.url);
    proxy.fate = (index) => (index % 2 === 1 ? 'lose reply' : 'pass');
    const newcomer = await ways['uuid']!();
    const program = startDevice(newcomer.flags);
    await waitUntil(() => proxy.seen.length >= 7, { what: 'the token has been renewed', timeoutMs: 60_000 });
    program.child.kill('SIGTERM');
    expect([await program.ended, program.written.join('')]).toEqual([0, expect.stringContaining('queued 0')]);
    const [device, ...others] = read(await visitor.get('/api/devices'), Found).items;
    expect([device?.id, others]).toEqual([expect.any(String), []]);
    const { stored, received, duplicate } = await settledLedger(visitor, device!.id);
    expect(stored).toBeGreaterThan(0);
    expect(received).toBe(stored + duplicate);
    await shortLived.stop();
  });

  const losses: Fate[] = ['lose request', 'lose reply'];
  test.each(['two-step', 'zero-touch'].flatMap((name) => losses.map((fate) => [name, fate] as const)))(
    'by %s ends up in, as one device, when it is killed at any step (%s)',
    async (name, fate) => {
      const places = await atEveryPlace(ways[name]!, async (newcomer, lost) => {
        const before = await everyDevice();
        const first = startDevice(newcomer.flags);
        proxy.fate = (index) => (index === lost ? fate : 'pass');
        proxy.onLoss = () => first.child.kill('SIGKILL');
        await waitUntil(async () => first.child.killed || hasReadings(before), {
          what: 'the device is killed or in',
          timeoutMs: 30_000,
        });
        if (first.child.killed) await first.ended;
        await comesIn(first.child.killed ? startDevice(newcomer.flags) : first, newcomer, before);
      });
      expect(places).toBeGreaterThan(1);
    },
  );

  test('by the command provision ends up in, as one device, whichever reply is lost', async () => {
    const folder = (await tempDir()).path;
    const places = await atEveryPlace(
      async () => ({ flags: [] }),
      async (_, lost) => {
        const name = newName('gateway');
        const config = join(folder, `${name}.properties`);
        const text = [
          '# mine',
          '[thingsboard]',
          `url = ${proxy.url}`,
          `username = ${house.admin.email}`,
          `password = ${house.admin.password}`,
          '[profiles]',
          `device_profile_name = ${profile}`,
          `country_profile_name = ${profile}`,
          `state_profile_name = ${profile}`,
          '[device]',
          `name = ${name}`,
          `serial = ${name}`,
          '[location]',
          `country = ${name} country`,
          `state = ${name} state`,
          '',
        ].join('\n');
        await writeFile(config, text, { mode: 0o600 });
        proxy.fate = (index) => (index === lost ? 'lose reply' : 'pass');
        const before = await everyDevice();
        const program = startProgram(['provision', '--config', config]);
        expect([await program.ended, program.written.join('')]).toEqual([
          0,
          expect.stringContaining('6/6 Handshake: '),
        ]);
        const id = await newcomerSince(before);
        expect(program.written.join('')).toContain(id);
        expect(await settledLedger(admin, id)).toMatchObject({ stored: 2 });
        expect((await admin.get(`/api/devices/${id}/latest`)).text).toContain(name);
        const kept = await readFile(config, 'utf8');
        expect(kept.startsWith(`${text}\n[token]\njwt = `)).toBe(true);
        expect(await readdir(folder)).toContain(`${name}.properties.device.json`);
      },
    );
    expect(places).toBe(3);
  });
});
