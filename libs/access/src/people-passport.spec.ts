import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { Request, Response } from 'express';
import jwt from 'jsonwebtoken';
import { of, throwError, type Observable } from 'rxjs';
import { CodedError, TOKEN_AUDIENCE, TOKEN_ISSUER } from '#contracts';
import { RpcClient } from '#messaging';
import { PeoplePassport } from './people-passport.ts';
import type { Revocations } from './revocations.ts';
import { TOKEN_ALGORITHM, TokenVerifier } from './token-verifier.ts';

const nothingRevoked: Pick<Revocations, 'check'> = { check: () => undefined };
const revoked: Pick<Revocations, 'check'> = {
  check: () => {
    throw new CodedError('TOKEN_REVOKED', 'revoked');
  },
};

/** An application, and tokens of the keys that it knows. */
function application({ revocations = nothingRevoked }: { revocations?: Pick<Revocations, 'check'> } = {}) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyid = randomUUID();
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: keyid, alg: TOKEN_ALGORITHM, use: 'sig' }];
  const passport = passportThatHears(() => of({ keys }), revocations);
  const token = (options: jwt.SignOptions = {}) =>
    jwt.sign({ sid: randomUUID(), role: 'user', cid: null, at: Date.now() }, privateKey, {
      algorithm: TOKEN_ALGORITHM,
      keyid,
      subject: randomUUID(),
      audience: TOKEN_AUDIENCE,
      issuer: TOKEN_ISSUER,
      expiresIn: 60,
      ...options,
    });
  return { passport, token };
}

const passportThatHears = (answer: () => Observable<unknown>, revocations: Pick<Revocations, 'check'>) =>
  new PeoplePassport(new TokenVerifier(new RpcClient({ send: answer } as never), revocations as Revocations));

const authenticate = (passport: PeoplePassport, authorization?: string) =>
  passport.authenticate({ headers: { authorization } } as Request, {} as Response);

test('a token of ours says who is calling', async () => {
  const { passport, token } = application();
  const sent = token();
  expect(await authenticate(passport, `Bearer ${sent}`)).toMatchObject({
    kind: 'user',
    userId: jwt.decode(sent, { json: true })?.sub,
    role: 'user',
    customerId: null,
  });
});

test.each<[string, jwt.SignOptions, string]>([
  ['for another audience', { audience: 'others' }, 'UNAUTHENTICATED'],
  ['of another issuer', { issuer: 'others' }, 'UNAUTHENTICATED'],
  ['that has expired', { expiresIn: -1 }, 'TOKEN_EXPIRED'],
  ['with a key id that nobody knows', { keyid: randomUUID() }, 'UNAUTHENTICATED'],
])('a token %s is refused', async (_which, options, code) => {
  const { passport, token } = application();
  await expect(authenticate(passport, `Bearer ${token(options)}`)).rejects.toMatchObject({ code });
});

test('a token of a login that has ended is refused', async () => {
  const { passport, token } = application({ revocations: revoked });
  await expect(authenticate(passport, `Bearer ${token()}`)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
});

test.each([undefined, '', 'Bearer', 'Basic abc'])(
  'the header %j is refused with the way to a token',
  async (header) => {
    const { passport } = application();
    await expect(authenticate(passport, header)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('POST /user/login'),
    });
  },
);

test('nobody is told to log in again while the keys cannot be had', async () => {
  const { token } = application();
  const passport = passportThatHears(() => throwError(() => new Error('nobody answers')), nothingRevoked);
  await expect(authenticate(passport, `Bearer ${token()}`)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('several applications of a process each ask their own verifier', async () => {
  const [one, other] = [application(), application()];
  await expect(authenticate(one.passport, `Bearer ${one.token()}`)).resolves.toMatchObject({ kind: 'user' });
  await expect(authenticate(other.passport, `Bearer ${other.token()}`)).resolves.toMatchObject({ kind: 'user' });
  await expect(authenticate(one.passport, `Bearer ${other.token()}`)).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
  });
});
