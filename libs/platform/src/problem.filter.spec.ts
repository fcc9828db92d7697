import { expect, test } from '@jest/globals';
import { problemOf, toCoded } from './problem.filter.ts';

const errorWith = (code: string): Error => Object.assign(new Error('what the driver says'), { code });

test.each(['ECONNREFUSED', 'PROTOCOL_CONNECTION_LOST'])(
  '%s says that something is away, and when to try again',
  (code) => {
    expect(problemOf(toCoded(errorWith(code)))).toMatchObject({
      status: 503,
      code: 'UNAVAILABLE',
      detail: expect.stringContaining('away just now'),
      retryAfterMs: 2_000,
    });
  },
);

test.each(['SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_FSYNC'])(
  '%s says that the disk is full or failing, and when to try again',
  (code) => {
    expect(problemOf(toCoded(errorWith(code)))).toMatchObject({
      status: 503,
      code: 'UNAVAILABLE',
      detail: expect.stringContaining('disk that holds the data is full or failing'),
      retryAfterMs: 2_000,
    });
  },
);

test.each(['SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_ERROR', 'ER_PARSE_ERROR'])(
  '%s is a fault of ours, and says no more',
  (code) => {
    const { status, detail } = problemOf(toCoded(errorWith(code)));
    expect(status).toBe(500);
    expect(detail).not.toContain('what the driver says');
  },
);
