import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Jwk, type Jwks } from '#contracts';
import { JwksCache } from './jwks.ts';

const jwk = (kid: string): Jwks['keys'][number] =>
  Jwk.parse({
    ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
    kid,
    use: 'sig',
    alg: 'ES256',
  });

/** An auth service with these keys, which counts how often it was asked. */
function authWith(...kids: string[]) {
  const auth = { keys: kids.map(jwk), asked: 0, away: false, now: 1_000_000 };
  const cache = new JwksCache(
    () => {
      auth.asked += 1;
      return auth.away ? Promise.reject(new Error('auth is away')) : Promise.resolve({ keys: auth.keys });
    },
    () => auth.now,
  );
  return { auth, cache };
}

test('asks once for a key that many want at the same time', async () => {
  const { auth, cache } = authWith('a');
  const keys = await Promise.all(Array.from({ length: 50 }, () => cache.get('a')));
  expect(keys.every((key) => key?.asymmetricKeyType === 'ec')).toBe(true);
  expect(auth.asked).toBe(1);
});

test('finds a new key when it is named, and asks for unknown ones once a second at most', async () => {
  const { auth, cache } = authWith('a');
  await cache.get('a');
  auth.keys.push(jwk('b'));
  auth.now += 1_001;
  expect(await cache.get('b')).toBeDefined();
  for (const kid of ['c', 'd', 'e']) expect(await cache.get(kid)).toBeUndefined();
  expect(auth.asked).toBe(2);
});

test('forgets a key that is no longer published after ten minutes', async () => {
  const { auth, cache } = authWith('a', 'b');
  await cache.get('a');
  auth.keys = [jwk('b')];
  expect(await cache.get('a')).toBeDefined();
  auth.now += 600_001;
  expect(await cache.get('a')).toBeUndefined();
});

test('goes on with the keys it has while auth is away, and rejects while it has none', async () => {
  const { auth, cache } = authWith('a');
  auth.away = true;
  await expect(cache.get('a')).rejects.toThrow('away');
  auth.away = false;
  expect(await cache.get('a')).toBeDefined();
  auth.away = true;
  auth.now += 600_001;
  expect(await cache.get('a')).toBeDefined();
});
