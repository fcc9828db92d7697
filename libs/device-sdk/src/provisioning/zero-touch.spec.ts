import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { enter } from '../../test/enter.ts';
import { FakeClock } from '../../test/fake-clock.ts';
import { type Asked, FakeWays, type Given, failure, problem } from '../../test/fake-ways.ts';
import { WatchedMemory } from '../../test/watched-memory.ts';
import { isFinal } from '../refusal.ts';
import { MemoryMemory } from './memory.ts';
import { ZeroTouch } from './zero-touch.ts';

const UUID = '4f3c8b1a-6c2d-4e5f-8a9b-0c1d2e3f4a5b';

describe('zero touch', () => {
  let platform: FakeWays;

  beforeEach(async () => {
    platform = await new FakeWays().start();
  });
  afterEach(() => platform.stop());

  const place = (token: string, extra: object = {}): Given => ({
    status: 200,
    body: {
      device: { id: UUID, name: 'gw', kind: 'direct' },
      assets: [{ id: UUID, name: 'Iran', profile: 'Country' }],
      accessToken: token,
      location: { country: 'Iran', state: 'Tehran', latitude: 35.7, longitude: 51.4, source: 'ip' },
      ...extra,
    },
  });
  const receipt = (rejected: object[] = []): Given => ({
    status: 200,
    body: { ok: true, batchId: 'b', accepted: 4 - rejected.length, rejected },
  });
  const device = { name: 'gw', serial: 's-1', deviceProfile: 'IoT-Gateway' };
  const system = { hostname: 'here' };
  const create = (memory = new MemoryMemory(), clock = new FakeClock()) =>
    new ZeroTouch({ url: platform.url, caller: { provisioningKey: 'fpk_1' }, device, system, memory, clock });
  const tokensOf = (asked: Asked[]) => asked.map(({ headers }) => headers.authorization);

  it('asks once, keeps the token, and shakes hands with its first readings', async () => {
    const memory = new WatchedMemory();
    platform.inTurn(place('token'), receipt());
    expect(await create(memory).enter()).toEqual({ token: 'token' });
    expect(platform.lines).toEqual(['POST /api/provision', 'POST /telemetry']);
    expect(platform.asked[0]?.body).toEqual({ ...device, system });
    expect(tokensOf(platform.asked)).toEqual(['Bearer fpk_1', 'Bearer token']);
    const ts = 1_700_000_000_000;
    expect(platform.asked[1]?.body).toEqual([
      { sensor: 'serial', value: 's-1', ts },
      { sensor: 'latitude', value: 35.7, unit: '°', ts },
      { sensor: 'longitude', value: 51.4, unit: '°', ts },
      { sensor: 'system', value: system, ts },
    ]);
    expect(memory.saved).toMatchObject([
      { accessToken: 'token', handshake: { ts, done: false } },
      { accessToken: 'token', handshake: { ts, done: true } },
    ]);
    expect(await create(memory).enter()).toEqual({ token: 'token' });
    expect(platform.asked).toHaveLength(2);
  });

  it('sends the same handshake again when its receipt is lost', async () => {
    const memory = new MemoryMemory();
    const clock = new FakeClock();
    platform.inTurn(place('token'), 'lost', receipt());
    await failure(create(memory, clock).enter());
    clock.advance(5_000);
    expect(await create(memory, clock).enter()).toEqual({ token: 'token' });
    expect(platform.lines).toEqual(['POST /api/provision', 'POST /telemetry', 'POST /telemetry']);
    expect(platform.asked[2]?.body).toEqual(platform.asked[1]?.body);
  });

  it('asks again when the reply is lost', async () => {
    platform.inTurn('lost', place('token'), receipt());
    expect(await enter(create())).toEqual({ token: 'token' });
    expect(platform.asked[1]?.body).toEqual(platform.asked[0]?.body);
  });

  it('asks for another token when one is refused, also by the handshake', async () => {
    const memory = new MemoryMemory();
    platform.inTurn(
      place('one'),
      problem(401, 'TOKEN_REVOKED', 'Revoked.'),
      place('two'),
      receipt(),
      place('three'),
      receipt(),
    );
    expect(await create(memory).enter()).toEqual({ token: 'two' });
    expect(await create(memory).enter({ token: 'two' })).toEqual({ token: 'three' });
  });

  it('sends no place that it does not know', async () => {
    platform.inTurn(place('token', { location: null }), receipt());
    await create().enter();
    expect(platform.asked[1]?.body).toEqual([
      { sensor: 'serial', value: 's-1', ts: 1_700_000_000_000 },
      { sensor: 'system', value: system, ts: 1_700_000_000_000 },
    ]);
  });

  it('renews the token of the person on whose behalf it asks, once', async () => {
    const getToken = async (refused?: string) => (refused === undefined ? 'old' : `new after ${refused}`);
    platform.inTurn(problem(401, 'TOKEN_EXPIRED', 'Expired.'), place('token'), receipt());
    const way = new ZeroTouch({ url: platform.url, caller: { getToken }, device, system });
    await way.enter();
    expect(tokensOf(platform.asked)).toEqual(['Bearer old', 'Bearer new after old', 'Bearer token']);
  });

  it.each([
    problem(403, 'FORBIDDEN', 'Only administrators and operators may.'),
    problem(404, 'PROFILE_NOT_FOUND', 'There is no device profile IoT-Gateway.'),
    problem(403, 'PROVISIONING_KEY_USED_UP', 'The key was used 10 times.'),
  ])('stops with the words of the platform: %j', async (given) => {
    platform.inTurn(given);
    const error = await failure(create().enter());
    expect(given).toMatchObject({ body: { detail: error.message } });
    expect(isFinal(error)).toBe(true);
  });

  it('says which reading of the handshake was rejected', async () => {
    platform.inTurn(place('token'), receipt([{ index: 0, code: 'TIMESTAMP_IN_FUTURE', message: 'It is 5 h ahead.' }]));
    const error = await failure(create().enter());
    expect(error).toMatchObject({
      code: 'TIMESTAMP_IN_FUTURE',
      message: 'The reading serial of the handshake was rejected (TIMESTAMP_IN_FUTURE): It is 5 h ahead.',
    });
  });
});
