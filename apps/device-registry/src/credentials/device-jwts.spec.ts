import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { uuid7 } from '#platform';
import { deviceJwtKey, DeviceJwts } from './device-jwts.ts';

const SECRET_KEY = 'a secret key of at least 32 characters';
const NOW = Date.UTC(2026, 5, 1);
const [device, credential] = [uuid7(), uuid7()];
const jwts = new DeviceJwts(deviceJwtKey(SECRET_KEY), 60);
const claims = {
  iss: 'fieldline-devices',
  sub: device,
  jti: credential,
  iat: NOW / 1_000,
  exp: NOW / 1_000 + 60,
};
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe("a device's token", () => {
  test('stands for a credential of the device until its time is over', () => {
    const { token, expiresAt } = jwts.sign(device, credential, NOW);
    expect(expiresAt).toBe(NOW + 60_000);
    expect(jwts.verify(token, NOW + 59_999)).toEqual({ deviceId: device, credentialId: credential, expiresAt });
    expect(() => jwts.verify(token, NOW + 60_000)).toThrow(expect.objectContaining({ code: 'TOKEN_EXPIRED' }));
  });

  test('is believed by every replica with the same secret key, and by no other one', () => {
    const { token } = jwts.sign(device, credential, NOW);
    expect(new DeviceJwts(deviceJwtKey(SECRET_KEY), 1).verify(token, NOW).deviceId).toBe(device);
    const other = new DeviceJwts(deviceJwtKey('another secret key of 32 characters.'), 60);
    expect(() => other.verify(token, NOW)).toThrow(expect.objectContaining({ code: 'BAD_CREDENTIALS' }));
  });

  const signed = jwts.sign(device, credential, NOW).token;
  const [head = '', payload = '', signature = ''] = signed.split('.');
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  test.each<[string, string]>([
    ['without an algorithm', `${base64({ alg: 'none', typ: 'JWT' })}.${payload}.`],
    ['without an algorithm, but signed', `${base64({ alg: 'none' })}.${payload}.${signature}`],
    ['with another payload', `${head}.${base64({ ...claims, sub: uuid7() })}.${signature}`],
    ['without its signature', `${head}.${payload}.`],
    ['of another key', jwt.sign(claims, 'another key', { algorithm: 'HS256' })],
    ['of an empty key', jwt.sign(claims, createSecretKey(Buffer.from('x')), { algorithm: 'HS256' })],
    ['of another algorithm', jwt.sign(claims, deviceJwtKey(SECRET_KEY), { algorithm: 'HS512' })],
    ['of a key of another sort', jwt.sign(claims, elliptic, { algorithm: 'ES256' })],
    ['of another issuer', jwt.sign({ ...claims, iss: 'fieldline' }, deviceJwtKey(SECRET_KEY))],
    ['that is none', 'a.b.c'],
    ['of dots', '..'],
    ['of nothing', ''],
  ])('%s is refused', (_which, token) => {
    expect(() => jwts.verify(token, NOW)).toThrow(expect.objectContaining({ code: 'BAD_CREDENTIALS' }));
  });
});
