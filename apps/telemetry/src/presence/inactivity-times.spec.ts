import { beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { RpcClient } from '#messaging';
import { uuid7 } from '#platform';
import { waitUntil } from '#testing';
import { InactivityTimes } from './inactivity-times.ts';

const DEFAULT_MS = 600_000;

let asked: number;
let answer: () => Promise<unknown>;
let times: InactivityTimes;

beforeEach(() => {
  asked = 0;
  const call = () => {
    asked += 1;
    return answer();
  };
  times = new InactivityTimes({ call } as unknown as RpcClient, pino({ level: 'silent' }));
});

test('a device without a profile may be silent for ten minutes, and nobody is asked', () => {
  expect(times.of(null)).toBe(DEFAULT_MS);
  expect(asked).toBe(0);
});

test('a profile is asked for once, however many of its devices there are', async () => {
  const profile = uuid7();
  answer = () => Promise.resolve({ id: profile, name: 'p', inactivitySeconds: 30 });
  expect([times.of(profile), times.of(profile)]).toEqual([DEFAULT_MS, DEFAULT_MS]);
  await waitUntil(() => times.of(profile) === 30_000, { what: 'what the profile says is known' });
  expect(asked).toBe(1);
});

test.each([null, { id: uuid7(), name: 'p', inactivitySeconds: null }])(
  'that of a profile like %j is ten minutes',
  async (profile) => {
    let isAnswered = false;
    answer = async () => {
      isAnswered = true;
      return profile;
    };
    times.of(uuid7());
    await waitUntil(() => isAnswered, { what: 'it was asked for' });
    expect(times.of(uuid7())).toBe(DEFAULT_MS);
  },
);

test('while the registry is away it is what was known, and the registry is not asked for every device', async () => {
  const profile = uuid7();
  answer = () => Promise.reject(new Error('away'));
  for (let device = 0; device < 100; device += 1) {
    expect(times.of(profile)).toBe(DEFAULT_MS);
    await new Promise(setImmediate);
  }
  expect(asked).toBe(1);
});
