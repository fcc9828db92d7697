import { beforeEach, describe, expect, it } from '@jest/globals';
import { CodedError, jobSubject, type JobView, type UserPrincipal } from '#contracts';
import type { Bus, RpcClient } from '#messaging';
import { JobFollowers } from './job-followers.ts';

const ID = '0198c5a0-0000-7000-8000-000000000001';
const PRINCIPAL: UserPrincipal = { kind: 'user', userId: ID, sessionId: ID, role: 'admin', customerId: null };

const jobAt = (processed: number): JobView => ({
  id: ID,
  state: 'running',
  total: 100,
  processed,
  created: processed,
  unchanged: 0,
  failed: 0,
  message: null,
  createdAt: 1,
  finishedAt: null,
});

let listeners: Map<string, (payload: string) => void>;
let answer: () => Promise<JobView>;
let followers: JobFollowers;
let heard: number[];

const progress = (processed: number): void => {
  listeners.get(jobSubject(ID))?.(JSON.stringify(jobAt(processed)));
};
const follow = () => followers.follow(PRINCIPAL, ID, ({ processed }) => heard.push(processed));

beforeEach(() => {
  listeners = new Map();
  heard = [];
  answer = () => Promise.resolve(jobAt(10));
  const bus = {
    subscribe: (subject: string, hear: (payload: string) => void) => {
      listeners.set(subject, hear);
      return () => listeners.delete(subject);
    },
  };
  const rpc = { call: () => answer() };
  followers = new JobFollowers(bus as unknown as Bus, rpc as unknown as RpcClient);
});

describe('whoever follows an import', () => {
  it('learns how far it is, and how it goes on, until they no longer want to', async () => {
    const { job, stop } = await follow();
    progress(20);
    stop();
    progress(30);
    expect([job.processed, ...heard]).toEqual([10, 20]);
    expect(listeners.size).toBe(0);
  });

  it('misses nothing of what happens while they are let in', async () => {
    answer = () => {
      progress(15);
      return Promise.resolve(jobAt(10));
    };
    expect((await follow()).job.processed).toBe(15);
    expect(heard).toEqual([]);
  });

  it('hears nothing of one that they may not see', async () => {
    answer = () => {
      progress(15);
      return Promise.reject(new CodedError('NOT_FOUND', 'There is none.'));
    };
    await expect(follow()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    progress(20);
    expect(heard).toEqual([]);
    expect(listeners.size).toBe(0);
  });
});
