import { describe, expect, it } from '@jest/globals';
import { judge } from './refusal.ts';

const batch = (readings: number, refusals = 1, othersAccepted = false) => ({ readings, refusals, othersAccepted });

describe('a batch that was refused', () => {
  it.each(['BUSY', 'RATE_LIMITED', 'UNAVAILABLE', 'SHUTTING_DOWN', 'UPSTREAM_TIMEOUT'])(
    'is sent again after %s, however often',
    (code) => {
      expect(judge(code, batch(10))).toBe('retry');
      expect(judge(code, batch(1, 1_000, true))).toBe('retry');
    },
  );

  it.each(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'BAD_CREDENTIALS', 'FORBIDDEN', 'DEVICE_DISABLED'])(
    'waits for other credentials after %s',
    (code) => {
      expect(judge(code, batch(1, 1_000, true))).toBe('authenticate');
    },
  );

  it.each(['INVALID_INPUT', 'BATCH_TOO_LARGE', 'BODY_TOO_LARGE', 'DEVICE_NOT_ALLOWED'])(
    'is halved after %s until one reading is left, which is rejected',
    (code) => {
      expect(judge(code, batch(2))).toBe('split');
      expect(judge(code, batch(1))).toBe('reject');
    },
  );

  it.each(['INTERNAL', 'A_CODE_OF_LATER_YEARS'])(
    'is given up after %s only if it stands alone and others passed meanwhile',
    (code) => {
      expect(judge(code, batch(10, 1))).toBe('retry');
      expect(judge(code, batch(10, 3))).toBe('split');
      expect(judge(code, batch(1, 1_000, false))).toBe('retry');
      expect(judge(code, batch(1, 8, true))).toBe('reject');
    },
  );
});
