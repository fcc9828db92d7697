import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { Jwks, TOKEN_AUDIENCE, TOKEN_ISSUER } from '#contracts';
import { KeyRing } from '../src/keys/key-ring.ts';
import { onEveryDatabase } from './on-every-database.ts';
import type { NewPerson } from './started-auth.ts';

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

onEveryDatabase('access tokens', (auth) => {
  let person: NewPerson;
  beforeAll(async () => {
    person = await auth().newPerson(`${randomUUID()}@example.com`);
  });

  const me = (token: string) => auth().call('GET /user/me', { token });
  const signer = () => auth().app.get(KeyRing, { strict: false }).signer();
  const claims = () => {
    const { iat: _iat, exp: _exp, ...rest } = jwt.decode(person.tokens.token, { json: true }) ?? {};
    return rest;
  };
  const ourJwk = async () => Jwks.parse((await auth().call('GET /.well-known/jwks.json')).body).keys[0];

  test('are verified by anybody with the published keys', async () => {
    const reply = await auth().call('GET /.well-known/jwks.json');
    expect(reply.headers.get('cache-control')).toBe('public, max-age=600');
    const { keys } = Jwks.parse(reply.body);
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    const { header } = jwt.decode(person.tokens.token, { complete: true }) ?? {};
    const key = createPublicKey({ key: keys.find(({ kid }) => kid === header?.kid) ?? {}, format: 'jwk' });
    const verified = jwt.verify(person.tokens.token, key, { issuer: TOKEN_ISSUER, audience: TOKEN_AUDIENCE });
    expect(verified).toMatchObject({ sub: person.id, role: 'user', cid: null });
  });

  test('that somebody made with our own rules are taken: the forgeries below fail for their own reasons', async () => {
    const { id, privateKey } = signer();
    const token = jwt.sign(claims(), privateKey, { algorithm: 'ES256', keyid: id, expiresIn: 60 });
    expect((await me(token)).status).toBe(200);
  });

  test.each<[string, () => Promise<string> | string, string]>([
    ['nothing', () => '', 'UNAUTHENTICATED'],
    ['what is no token', () => 'abc.def.ghi', 'UNAUTHENTICATED'],
    [
      'one whose payload is not JSON',
      () => `${encoded({ alg: 'ES256', typ: 'JWT', kid: signer().id })}.bm90IEpTT04.${'A'.repeat(86)}`,
      'UNAUTHENTICATED',
    ],
    [
      'one with a signature of another length',
      () => `${encoded({ alg: 'ES256', typ: 'JWT', kid: signer().id })}.${encoded(claims())}.AAAA`,
      'UNAUTHENTICATED',
    ],
    [
      'one with alg none',
      () => `${encoded({ alg: 'none', kid: signer().id })}.${encoded(claims())}.`,
      'UNAUTHENTICATED',
    ],
    [
      'one signed with the public key as an HMAC secret',
      async () => {
        const key = createPublicKey({ key: (await ourJwk()) ?? {}, format: 'jwk' });
        const secret = key.export({ type: 'spki', format: 'pem' });
        return jwt.sign(claims(), secret.toString(), { algorithm: 'HS256', keyid: signer().id, expiresIn: 60 });
      },
      'UNAUTHENTICATED',
    ],
    [
      'one signed by another key under the name of ours',
      () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        return jwt.sign(claims(), privateKey, { algorithm: 'ES256', keyid: signer().id, expiresIn: 60 });
      },
      'UNAUTHENTICATED',
    ],
    [
      'one with a key id that nobody knows',
      () => jwt.sign(claims(), signer().privateKey, { algorithm: 'ES256', keyid: randomUUID(), expiresIn: 60 }),
      'UNAUTHENTICATED',
    ],
    [
      'one without a key id',
      () => jwt.sign(claims(), signer().privateKey, { algorithm: 'ES256', expiresIn: 60 }),
      'UNAUTHENTICATED',
    ],
    [
      'one for another audience',
      () => jwt.sign({ ...claims(), aud: 'others' }, signer().privateKey, own()),
      'UNAUTHENTICATED',
    ],
    [
      'one of another issuer',
      () => jwt.sign({ ...claims(), iss: 'others' }, signer().privateKey, own()),
      'UNAUTHENTICATED',
    ],
    [
      'one that has expired',
      () => jwt.sign(claims(), signer().privateKey, { ...own(), expiresIn: -1 }),
      'TOKEN_EXPIRED',
    ],
    [
      'one without its claims',
      () => jwt.sign({ aud: TOKEN_AUDIENCE, iss: TOKEN_ISSUER }, signer().privateKey, own()),
      'UNAUTHENTICATED',
    ],
    [
      'one whose claims were changed',
      () => {
        const [header = '', , signature = ''] = person.tokens.token.split('.');
        return `${header}.${encoded({ ...jwt.decode(person.tokens.token, { json: true }), role: 'admin' })}.${signature}`;
      },
      'UNAUTHENTICATED',
    ],
  ])('refuses %s', async (_what, forge, code) => {
    const reply = await me(await forge());
    expect(reply).toMatchObject({ status: 401, body: { code } });
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
  });

  const own = (): jwt.SignOptions => ({ algorithm: 'ES256', keyid: signer().id, expiresIn: 60 });
});
