import { describe, expect, it } from '@jest/globals';
import type { JobView } from '#contracts';
import { counts, jobLine, uploadLine } from './progress-bar.ts';

const job: JobView = {
  id: '0198c5a0-0000-7000-8000-000000000001',
  state: 'running',
  total: 100_000,
  processed: 25_500,
  created: 25_000,
  unchanged: 400,
  failed: 100,
  message: null,
  createdAt: 1,
  finishedAt: null,
};

describe('the progress of an import', () => {
  it('is a bar with counts and the rate', () => {
    expect(jobLine(job, 5_123.4)).toBe(
      'Making  [######------------------]  25% · 25,500 of 100,000 rows · created 25,000 · unchanged 400 · failed 100 · 5,123/s',
    );
    expect(jobLine({ ...job, processed: 100_000 }, 0)).toContain('[########################] 100%');
  });

  it('says what is not known', () => {
    expect(counts({ ...job, total: null })).toContain('25,500 of ? rows');
    expect(uploadLine(1_500_000, undefined)).toBe('Sending 1.5 MB');
  });

  it('of a file is by its bytes, and an empty one is all sent', () => {
    expect(uploadLine(1_500_000, 3_000_000)).toBe('Sending [############------------]  50% · 1.5 of 3.0 MB');
    expect(uploadLine(0, 0)).toContain('100%');
  });
});
