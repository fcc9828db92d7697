import { expect, test } from '@jest/globals';
import type { Place } from '#contracts';
import { CachedLocations } from './cached-locations.ts';
import { LocationFailure } from './location-provider.ts';

const BERN = { country: 'Switzerland', state: 'Bern' };

function counted(answer: (address: string) => Place | null) {
  const asked: string[] = [];
  const provider = {
    locate: async (address: string) => {
      asked.push(address);
      return answer(address);
    },
  };
  return { asked, cached: new CachedLocations(provider) };
}

test('an address is asked for once, however many ask at the same time and afterwards', async () => {
  const { asked, cached } = counted(() => BERN);
  const places = await Promise.all(Array.from({ length: 50 }, () => cached.locate('8.8.8.8')));
  expect(places.every((place) => place === BERN)).toBe(true);
  await cached.locate('8.8.8.8');
  await cached.locate('9.9.9.9');
  expect(asked).toEqual(['8.8.8.8', '9.9.9.9']);
});

test('that nothing is known is remembered too', async () => {
  const { asked, cached } = counted(() => null);
  expect([await cached.locate('8.8.8.8'), await cached.locate('8.8.8.8')]).toEqual([null, null]);
  expect(asked).toHaveLength(1);
});

test('so is a failure, for a while', async () => {
  const { asked, cached } = counted(() => {
    throw new LocationFailure('it is away');
  });
  await expect(cached.locate('8.8.8.8')).rejects.toThrow('it is away');
  await expect(cached.locate('8.8.8.8')).rejects.toThrow(LocationFailure);
  expect(asked).toHaveLength(1);
});
