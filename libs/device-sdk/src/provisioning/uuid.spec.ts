import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeWays, type Given, failure } from '../../test/fake-ways.ts';
import { WatchedMemory } from '../../test/watched-memory.ts';
import { isFinal } from '../refusal.ts';
import { MemoryMemory } from './memory.ts';
import { uuidAndSecret } from './uuid.ts';

const UUID = '4f3c8b1a-6c2d-4e5f-8a9b-0c1d2e3f4a5b';

describe('uuid and secret key', () => {
  let platform: FakeWays;

  beforeEach(async () => {
    platform = await new FakeWays().start();
  });
  afterEach(() => platform.stop());

  const create = (memory = new MemoryMemory(), extra: { uuid?: string; master?: string } = {}) =>
    uuidAndSecret({ url: platform.url, secretKey: 'key', memory, ...extra });
  const GRANTED = (token: string): Given => ({ status: 200, body: { c: 'OK', t: token } });

  it('keeps the uuid that it made before it shows it', async () => {
    const memory = new WatchedMemory();
    platform.inTurn('lost', GRANTED('jwt'));
    await failure(create(memory).enter());
    expect(memory.saved).toEqual([{ way: 'uuid', uuid: platform.asked[0]?.query['uuid'] }]);
    expect(await create(memory).enter()).toEqual({ token: 'jwt' });
    expect(platform.asked[1]?.query).toEqual(platform.asked[0]?.query);
    expect(platform.asked[1]?.headers['x-secret-key']).toBe('key');
  });

  it('asks as the uuid that it is given, and for its master', async () => {
    platform.inTurn(GRANTED('jwt'));
    await create(new MemoryMemory(), { uuid: UUID, master: 'm' }).enter();
    expect(platform.asked[0]).toMatchObject({
      method: 'GET',
      path: '/auth/devices/request',
      query: { uuid: UUID, master: 'm' },
    });
  });

  it('asks for another token when one is refused, and keeps the newest', async () => {
    const memory = new MemoryMemory();
    platform.inTurn(GRANTED('one'), GRANTED('two'));
    await create(memory).enter();
    expect(await create(memory).enter()).toEqual({ token: 'one' });
    expect(await create(memory).enter({ token: 'one' })).toEqual({ token: 'two' });
    expect(await create(memory).enter()).toEqual({ token: 'two' });
    expect(platform.asked).toHaveLength(2);
  });

  it.each<[string, Given, string, boolean]>([
    ['FORBIDDEN', { status: 403, body: { c: 'FORBIDDEN' } }, 'FORBIDDEN', true],
    ['NOT_REGISTERED', { status: 404, body: { c: 'NOT_REGISTERED' } }, 'NOT_REGISTERED', true],
    ['ERROR for a uuid that is none', { status: 400, body: { c: 'ERROR' } }, 'INVALID_INPUT', true],
    ['ERROR of a failing platform', { status: 500, body: { c: 'ERROR' } }, 'UNAVAILABLE', false],
    ['ERROR for too many', { status: 429, body: { c: 'ERROR' } }, 'UNAVAILABLE', false],
    ['ERROR with nothing else', { status: 200, body: { c: 'ERROR' } }, 'UNAVAILABLE', false],
  ])('reads %s', async (_, given, code, final) => {
    platform.inTurn(given);
    const error = await failure(create(new MemoryMemory(), { uuid: UUID }).enter());
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(UUID);
    expect(isFinal(error)).toBe(final);
  });
});
