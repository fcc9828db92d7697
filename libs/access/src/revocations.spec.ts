import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { pino } from 'pino';
import type { Revocations as RevocationsMessage } from '#contracts';
import { BUS, Events, MessagingModule, RpcClient, type Bus } from '#messaging';
import { PlatformModule, uuid7 } from '#platform';
import { waitUntil } from '#testing';
import { of, throwError, type Observable } from 'rxjs';
import type { Claims } from './claims.ts';
import { Revocations } from './revocations.ts';

/** What was logged, as lines of JSON. */
let logged: string[] = [];
const log = pino({ base: null, timestamp: false }, { write: (line) => logged.push(line) });
const claims = (more: Partial<Claims> = {}): Claims => ({
  sub: uuid7(),
  sid: uuid7(),
  role: 'user',
  cid: null,
  at: 1_000,
  exp: 2_000,
  ...more,
});
const isRevoked = (revocations: Revocations, token: Claims): boolean => {
  try {
    revocations.check(token);
    return false;
  } catch {
    return true;
  }
};

const messagesWithinAProcess = () =>
  Test.createTestingModule({
    imports: [PlatformModule.forRoot(log), MessagingModule.forRoot({ service: 'test' })],
  }).compile();

let messaging: TestingModule;
let events: Events;
let revocations: Revocations;
let answer: () => Observable<RevocationsMessage>;

beforeEach(async () => {
  messaging = await messagesWithinAProcess();
  events = messaging.get(Events);
  logged = [];
  answer = () => of({ sessions: [], users: [] });
  const rpc = new RpcClient({ send: () => answer() } as never);
  revocations = new Revocations(events, rpc, messaging.get<Bus>(BUS), log);
});
afterEach(async () => {
  revocations.onApplicationShutdown();
  await messaging.close();
});

test('a login that ended is refused as soon as it is heard', async () => {
  const [ended, other] = [claims(), claims()];
  expect(isRevoked(revocations, ended)).toBe(false);
  events.publish('auth.session.ended', { sessionId: ended.sid, userId: ended.sub, until: Date.now() });
  await waitUntil(() => isRevoked(revocations, ended), { what: 'it is refused' });
  expect(isRevoked(revocations, other)).toBe(false);
});

test("a changed user's tokens are refused up to the time of the change", () => {
  const token = claims({ at: 1_000 });
  revocations.add({ sessions: [], users: [{ userId: token.sub, validAfter: 1_001, until: 9_000 }] });
  expect(isRevoked(revocations, token)).toBe(true);
  expect(isRevoked(revocations, { ...token, at: 1_001 })).toBe(false);
});

test('an older change that is heard late does not undo a newer one', () => {
  const token = claims({ at: 1_500 });
  revocations.add({ sessions: [], users: [{ userId: token.sub, validAfter: 2_000, until: 9_000 }] });
  revocations.add({ sessions: [], users: [{ userId: token.sub, validAfter: 1_000, until: 8_000 }] });
  expect(isRevoked(revocations, token)).toBe(true);
});

test('living connections are looked through once for each thing revoked', () => {
  const ended = claims();
  const looks: boolean[] = [];
  const stop = revocations.onRevoked((revoked) => looks.push(revoked(ended)));
  const message = { sessions: [{ sessionId: ended.sid, userId: ended.sub, until: 9_000 }], users: [] };
  revocations.add(message);
  revocations.add(message);
  stop();
  revocations.add({ sessions: [{ sessionId: uuid7(), userId: uuid7(), until: 9_000 }], users: [] });
  expect(looks).toEqual([true]);
});

test('what was revoked before the start is asked for, again and again until somebody answers', async () => {
  const ended = claims();
  let asked = 0;
  answer = () => {
    asked += 1;
    return asked === 1
      ? throwError(() => new Error('nobody answers'))
      : of({ sessions: [{ sessionId: ended.sid, userId: ended.sub, until: Date.now() }], users: [] });
  };
  revocations.onApplicationBootstrap();
  await waitUntil(() => isRevoked(revocations, ended), { what: 'it is refused' });
  expect(asked).toBe(2);
});

test('nothing is asked for once the application has stopped', async () => {
  let asked = 0;
  answer = () => {
    asked += 1;
    revocations.onApplicationShutdown();
    return throwError(() => new Error('nobody answers'));
  };
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  try {
    revocations.onApplicationBootstrap();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(asked).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test('that nobody answers is said once, then every 30 s, without a stack, and when somebody does', async () => {
  const away = { level: 40, msg: expect.stringMatching(/^logins that were revoked cannot be asked for.*auth/) };
  const back = { level: 30, msg: 'logins that were revoked are known again' };
  const said = (): unknown[] => logged.map((line): unknown => JSON.parse(line));
  answer = () => throwError(() => new Error('nobody answers'));
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  try {
    revocations.onApplicationBootstrap();
    await new Promise(setImmediate);
    await jest.advanceTimersByTimeAsync(29_000);
    expect(said()).toEqual([away]);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(said()).toEqual([away, away]);
    answer = () => of({ sessions: [], users: [] });
    await jest.advanceTimersByTimeAsync(2_000);
    expect(said()).toEqual([away, away, back]);
  } finally {
    jest.useRealTimers();
  }
});
