import { describe, expect, test } from '@jest/globals';
import { derivedToken, deviceTokenKey, randomToken, tokenHash } from './access-token.ts';

const key = deviceTokenKey('a secret key of at least 32 characters');
const DEVICE = '00000000-0000-7000-8000-000000000001';

describe('access tokens', () => {
  test('have 192 bits, no dot that a JSON web token would have, and are never the same', () => {
    const tokens = Array.from({ length: 1_000 }, randomToken);
    expect(new Set(tokens).size).toBe(1_000);
    for (const token of [...tokens, derivedToken(key, DEVICE, 1)]) expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
  });

  test('are known by their SHA-256', () => {
    expect(tokenHash('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  test('that are derived are the same again for the same key, device and generation only', () => {
    const token = derivedToken(key, DEVICE, 1);
    expect(derivedToken(deviceTokenKey('a secret key of at least 32 characters'), DEVICE, 1)).toBe(token);
    expect(derivedToken(key, DEVICE, 2)).not.toBe(token);
    expect(derivedToken(key, '00000000-0000-7000-8000-000000000002', 1)).not.toBe(token);
    expect(derivedToken(deviceTokenKey('another secret key, 32 characters..'), DEVICE, 1)).not.toBe(token);
  });
});
