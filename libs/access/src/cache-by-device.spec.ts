import { beforeEach, describe, expect, test } from '@jest/globals';
import { CacheByDevice } from './cache-by-device.ts';

interface Answer {
  device: string;
  name: string;
}

let cache: CacheByDevice<Answer>;
let asked: string[];
const get = (key: string, device: string, name = key): Promise<Answer> =>
  cache.get(key, () => {
    asked.push(key);
    return Promise.resolve({ device, name });
  });

beforeEach(() => {
  cache = new CacheByDevice({ max: 3, ttl: 60_000 }, ({ device }) => device);
  asked = [];
});

describe('answers about devices', () => {
  test('are asked for once', async () => {
    for (const _use of [1, 2]) expect(await get('a', 'd')).toEqual({ device: 'd', name: 'a' });
    expect(asked).toEqual(['a']);
  });

  test('go with a change of their device, all or those that match, and no others', async () => {
    for (const [key, device] of [
      ['a', 'd'],
      ['b', 'd'],
      ['c', 'e'],
    ] as const)
      await get(key, device);
    cache.forget('d', ({ name }) => name === 'a');
    cache.forget('f');
    for (const [key, device] of [
      ['b', 'd'],
      ['c', 'e'],
      ['a', 'd'],
    ] as const)
      await get(key, device);
    expect(asked.splice(0)).toEqual(['a', 'b', 'c', 'a']);
    cache.forget('d');
    await get('c', 'e');
    await get('b', 'd');
    expect(asked.splice(0)).toEqual(['b']);
    cache.forgetAll();
    await get('c', 'e');
    expect(asked).toEqual(['c']);
  });

  test('that were pushed out by others are asked for again, and changes still find those that are kept', async () => {
    for (const key of ['a', 'b', 'c', 'd']) await get(key, 'x');
    await get('a', 'x');
    expect(asked.splice(0)).toEqual(['a', 'b', 'c', 'd', 'a']);
    cache.forget('x');
    for (const key of ['a', 'c', 'd']) await get(key, 'x');
    expect(asked).toEqual(['a', 'c', 'd']);
  });

  test('that were asked for twice at the same time are found by a change', async () => {
    await Promise.all([get('a', 'x'), get('a', 'x')]);
    cache.forget('x');
    asked = [];
    await get('a', 'x');
    expect(asked).toEqual(['a']);
  });

  test('that were on their way while their device changed are asked for again; those of others are not', async () => {
    let name = 'old';
    const during = (change: () => void, device: string) =>
      cache.get(device, async () => {
        const answer = { device, name };
        asked.push(device);
        if (asked.length === 1) change();
        await new Promise(setImmediate);
        return answer;
      });
    const change = (of: string) => () => {
      name = 'new';
      cache.forget(of);
    };
    expect((await during(change('x'), 'x')).name).toBe('new');
    expect(asked.splice(0)).toEqual(['x', 'x']);
    await during(change('x'), 'y');
    expect(asked).toEqual(['y']);
  });

  test('are not kept where there is none', async () => {
    const refuse = () => Promise.reject(new Error('no'));
    await expect(cache.get('a', refuse)).rejects.toThrow('no');
    expect(await get('a', 'x')).toEqual({ device: 'x', name: 'a' });
  });
});
