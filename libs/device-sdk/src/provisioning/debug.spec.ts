import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeWays, type Given, failure, problem } from '../../test/fake-ways.ts';
import { isFinal } from '../refusal.ts';
import { debugProvisioning } from './debug.ts';
import { MemoryMemory } from './memory.ts';

const MAC = '44:8a:5b:9c:70:93';

describe('debug provisioning', () => {
  let platform: FakeWays;

  beforeEach(async () => {
    platform = await new FakeWays().start();
  });
  afterEach(() => platform.stop());

  const create = (memory = new MemoryMemory()) => debugProvisioning({ url: platform.url, macAddress: MAC, memory });

  it('keeps its token, and asks for another when it is refused', async () => {
    const memory = new MemoryMemory();
    platform.inTurn({ status: 200, body: { 'access-token': 'one' } }, { status: 200, body: { 'access-token': 'two' } });
    expect(await create(memory).enter()).toEqual({ token: 'one' });
    expect(await create(memory).enter()).toEqual({ token: 'one' });
    expect(platform.asked).toHaveLength(1);
    expect(platform.asked[0]?.query).toEqual({ 'mac-address': MAC });
    expect(await create(memory).enter({ token: 'one' })).toEqual({ token: 'two' });
    expect(await create(memory).enter()).toEqual({ token: 'two' });
  });

  it('asks for its own when the memory is of another device', async () => {
    const memory = new MemoryMemory();
    await memory.save({ way: 'debug', macAddress: '02', token: 'other' });
    platform.inTurn({ status: 200, body: { 'access-token': 'one' } });
    expect(await create(memory).enter()).toEqual({ token: 'one' });
  });

  it('is a final refusal where it is switched off, in the words of the platform', async () => {
    platform.inTurn(problem(403, 'DEBUG_PROVISIONING_OFF', 'Set DEBUG_PROVISIONING=on.'));
    const error = await failure(create().enter());
    expect([isFinal(error), error.message]).toEqual([true, 'Set DEBUG_PROVISIONING=on.']);
  });

  it.each<[string, Given]>([
    ['a lost reply', 'lost'],
    ['a rate that is exceeded', { ...problem(429, 'RATE_LIMITED', 'Slow.') }],
    ['a failing platform', { status: 502 }],
    ['a page of somebody else', { status: 200, body: { hello: 'login here' } }],
  ])('goes on after %s', async (_, given) => {
    platform.inTurn(given, { status: 200, body: { 'access-token': 'one' } });
    expect(isFinal(await failure(create().enter()))).toBe(false);
    expect(await create().enter()).toEqual({ token: 'one' });
  });
});
