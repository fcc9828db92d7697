import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fake-clock.ts';
import { FakeWays, type Given, failure, problem } from '../../test/fake-ways.ts';
import { until } from '../../test/until.ts';
import type { Provisioning } from '../link/credentials.ts';
import { announcePairing } from './pairing.ts';

const MAC = '44:8a:5b:9c:70:93';

describe('pairing', () => {
  let platform: FakeWays;

  beforeEach(async () => {
    platform = await new FakeWays().start();
  });
  afterEach(() => platform.stop());

  const keys = { pairKey: 'pk', ownerKey: 'ok' };
  const token: Provisioning = { enter: (refused) => Promise.resolve({ token: refused ? 'second' : 'first' }) };
  const announced = (clock: FakeClock, seconds: number): Given => ({
    status: 200,
    body: { expiresAt: clock.now() + seconds * 1_000 },
  });

  it('announces the device again when half of its time is over, until its own time is over', async () => {
    const clock = new FakeClock();
    const times: number[] = [];
    platform.answer = () => announced(clock, 100);
    const done = announcePairing({
      url: platform.url,
      provisioning: token,
      ...keys,
      validSeconds: 100,
      forMs: 160_000,
      clock,
      onAnnounced: () => times.push(clock.now() - 1_700_000_000_000),
    });
    let outcome: string | undefined;
    void done.then((result) => (outcome = result));
    await until('its time is over', () => outcome !== undefined, clock, 1_000);
    expect(outcome).toBe('over');
    expect(times).toHaveLength(4);
    expect(platform.asked[0]).toMatchObject({
      method: 'POST',
      path: '/provisioning/pair',
      body: { ...keys, validSeconds: 100 },
    });
    expect(platform.asked[0]?.headers.authorization).toBe('Bearer first');
  });

  it('goes on after lost replies, and with other credentials when they are refused', async () => {
    const clock = new FakeClock();
    const off = new AbortController();
    const given: Given[] = ['lost', problem(401, 'TOKEN_REVOKED', 'Revoked.'), announced(clock, 600)];
    platform.inTurn(...given);
    let told = 0;
    const done = announcePairing({
      url: platform.url,
      provisioning: token,
      ...keys,
      clock,
      signal: off.signal,
      onAnnounced: () => (told += 1),
    });
    await until('it is announced', () => told === 1, clock, 50);
    off.abort();
    expect(await done).toBe('stopped');
    expect(platform.asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer first',
      'Bearer second',
    ]);
  });

  it('shows a password with its user name', async () => {
    const clock = new FakeClock();
    platform.inTurn(announced(clock, 600));
    const provisioning = { enter: () => Promise.resolve({ userName: `abc/${MAC}`, password: 'pw' }) };
    await announcePairing({ url: platform.url, provisioning, ...keys, forMs: 0, clock });
    const [, basic = ''] = (platform.asked[0]?.headers.authorization ?? '').split('Basic ');
    expect(Buffer.from(basic, 'base64').toString()).toBe(`abc/${MAC}:pw`);
  });

  it('ends when the device has an owner', async () => {
    platform.inTurn(problem(409, 'ALREADY_CLAIMED', 'It has an owner.'));
    expect(await announcePairing({ url: platform.url, provisioning: token, ...keys })).toBe('claimed');
  });

  it('stops when another device waits with its key', async () => {
    platform.inTurn(problem(409, 'PAIR_KEY_TAKEN', 'Another device waits with that key.'));
    const error = await failure(announcePairing({ url: platform.url, provisioning: token, ...keys }));
    expect(error).toMatchObject({ code: 'PAIR_KEY_TAKEN', message: 'Another device waits with that key.' });
  });
});
