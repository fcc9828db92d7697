import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign, type JsonWebKey } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { House } from '../house.ts';
import { newDevice, newUser, type Device, type Person } from '../people.ts';
import { refusalOf } from '../sockets.ts';
import { read, Visitor } from '../visitor.ts';

const Jwks = z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })).min(1) });

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part: string | undefined): Record<string, unknown> =>
  z.record(z.string(), z.unknown()).parse(JSON.parse(Buffer.from(part ?? '', 'base64url').toString()));

const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signedByAttacker = (input: string): string =>
  sign('sha256', Buffer.from(input), { key: attacker.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');

/** Tokens that somebody made up, at every door. */
export function forgedTokens(house: () => House): void {
  describe('a forged token', () => {
    let person: Person;
    let device: Device;
    let forged: [what: string, token: string][];

    beforeAll(async () => {
      person = await newUser(house());
      device = await newDevice(person.visitor);
      const { keys } = read(await new Visitor(house()).get('/.well-known/jwks.json'), Jwks);
      forged = forgeries(person.token, keys[0]!);
    });

    test('is refused by every service', async () => {
      const doors = ['/user/me', '/api/devices', '/api/users', `/api/devices/${device.id}/latest`];
      for (const [what, token] of forged) {
        const visitor = new Visitor(house(), token);
        for (const door of doors) {
          const answer = await visitor.get(door);
          expect([what, door, answer.status, answer.code]).toEqual([what, door, 401, 'UNAUTHENTICATED']);
        }
        const sent = await visitor.post('/telemetry', { sensor: 's', value: 1 });
        expect([what, sent.status]).toEqual([what, 401]);
      }
    });

    test('opens no socket', async () => {
      for (const [what, token] of forged) {
        for (const namespace of ['/telemetry', '/live']) {
          const refusal = await refusalOf(house(), namespace, token);
          expect([what, refusal]).toEqual([what, expect.objectContaining({ code: expect.stringMatching(REFUSED) })]);
        }
      }
    });

    test('of a device is refused as bad credentials, as is that of a token of a person where a device’s is asked for', async () => {
      const guesses = [
        randomBytes(24).toString('base64url'),
        `${device.token}x`,
        device.token.slice(0, -1),
        "' OR 1=1 --",
        '$ne',
      ];
      for (const token of guesses) {
        const sent = await new Visitor(house(), token).post('/telemetry', { sensor: 's', value: 1 });
        expect([token, sent.status]).toEqual([token, 401]);
        expect(await refusalOf(house(), '/telemetry', token)).toMatchObject({ code: expect.stringMatching(REFUSED) });
      }
      expect(await new Visitor(house(), device.token).get('/user/me')).toMatchObject({ status: 401 });
      expect(await new Visitor(house(), device.token).get('/api/devices')).toMatchObject({ status: 401 });
    });

    test('of any size or type in a handshake is refused', async () => {
      for (const auth of [
        { token: 7 },
        { token: { $ne: null } },
        { token: ['x'] },
        { token: '' },
        { token: 'x'.repeat(100_000) },
        {},
      ]) {
        expect(await refusalOf(house(), '/telemetry', undefined, { auth })).toMatchObject({
          code: expect.stringMatching(REFUSED),
        });
      }
      const headers = { authorization: `Bearer ${'x'.repeat(4_500)}` };
      expect((await new Visitor(house()).post('/telemetry', {}, { headers })).status).toBe(401);
      for (const authorization of ['Bearer', 'Bearer ', 'Basic YTpi', `Token ${person.token}`, person.token]) {
        const answer = await new Visitor(house()).get('/user/me', { headers: { authorization } });
        expect([authorization.slice(0, 10), answer.status]).toEqual([authorization.slice(0, 10), 401]);
      }
    });

    test('that asks for a namespace that is not there gets in nowhere', async () => {
      expect(await refusalOf(house(), '/admin', person.token)).toMatchObject({ message: 'Invalid namespace' });
    });
  });
}

const REFUSED = /^(?:UNAUTHENTICATED|BAD_CREDENTIALS)$/;

/** What an attacker can make of a valid token and the public keys. */
function forgeries(token: string, jwk: JsonWebKey & { kid: string }): [string, string][] {
  const [head, payload, signature] = token.split('.');
  const [header, claims] = [decode(head), decode(payload)];
  const admin = { ...claims, role: 'admin' };
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  const hmac = (secret: string | Buffer): string => {
    const input = `${encode({ ...header, alg: 'HS256' })}.${encode(admin)}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const own = (change: Record<string, unknown>, body: unknown = admin): string => {
    const input = `${encode({ ...header, ...change })}.${encode(body)}`;
    return `${input}.${signedByAttacker(input)}`;
  };
  const ownJwk = attacker.publicKey.export({ format: 'jwk' });
  return [
    ['alg none', `${encode({ ...header, alg: 'none' })}.${encode(admin)}.`],
    ['alg None', `${encode({ ...header, alg: 'None' })}.${encode(admin)}.`],
    ['alg none with the old signature', `${encode({ ...header, alg: 'none' })}.${encode(admin)}.${signature}`],
    ['no signature', `${head}.${payload}.`],
    ['two parts', `${head}.${payload}`],
    ['the public key (PEM) as HMAC secret', hmac(publicKey.export({ type: 'spki', format: 'pem' }))],
    ['the public key (DER) as HMAC secret', hmac(publicKey.export({ type: 'spki', format: 'der' }))],
    ['the public key (JWK) as HMAC secret', hmac(JSON.stringify(jwk))],
    ['an empty HMAC secret', hmac('')],
    ['changed claims under the old signature', `${head}.${encode(admin)}.${signature}`],
    ['another key under our key id', own({})],
    ['another key under another id', own({ kid: 'mine' })],
    ['a key of its own in the header', own({ jwk: ownJwk })],
    ['keys from elsewhere', own({ jku: 'http://127.0.0.1:1/jwks.json', x5u: 'http://127.0.0.1:1/' })],
    ['no key id', own({ kid: undefined })],
    ['a key id that is a path', own({ kid: '../../../dev/null' })],
    ['a key id with SQL', own({ kid: "' UNION SELECT 'secret" })],
    ['a key id that is an object', own({ kid: { $ne: null } })],
    ['a key id of the prototype', own({ kid: '__proto__' })],
    ['no claims', own({}, {})],
    ['claims that are no object', own({}, 'admin')],
    ['three dots', '...'],
    ['no text', `${encode('x')}.${encode('y')}.z`],
  ];
}
