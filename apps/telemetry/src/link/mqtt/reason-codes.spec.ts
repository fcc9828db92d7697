import { describe, expect, it } from '@jest/globals';
import type { ErrorCode } from '#contracts';
import { connackCodes, disconnectReason, isHolding, publishReason, type Introduction } from './reason-codes.ts';

describe('the codes of a refused CONNECT', () => {
  it.each<[ErrorCode, Introduction['by'], number, number]>([
    ['BAD_CREDENTIALS', 'user name', 5, 0x86],
    ['TOKEN_EXPIRED', 'user name', 5, 0x86],
    ['BAD_CREDENTIALS', 'client id', 2, 0x85],
    ['UNAUTHENTICATED', 'nothing', 5, 0x87],
    ['BAD_CREDENTIALS', 'certificate', 5, 0x87],
    ['DEVICE_DISABLED', 'user name', 5, 0x87],
    ['FORBIDDEN', 'user name', 5, 0x87],
    ['UNAVAILABLE', 'user name', 3, 0x88],
    ['INTERNAL', 'nothing', 3, 0x88],
    ['TOO_MANY_ATTEMPTS', 'user name', 3, 0x9f],
  ])('%s by %s', (code, by, returnCode, reasonCode) => {
    expect(connackCodes({ code }, { by })).toEqual({ returnCode, reasonCode });
  });
});

it.each<[ErrorCode, number]>([
  ['TOKEN_EXPIRED', 0x87],
  ['TOKEN_REVOKED', 0x98],
  ['TAKEN_OVER', 0x8e],
  ['SHUTTING_DOWN', 0x8b],
  ['MALFORMED_PACKET', 0x81],
  ['CONFLICT', 0x80],
])('a link that is ended for %s is told 0x%x', (code, reason) => {
  expect(disconnectReason({ code })).toBe(reason);
});

it.each<[ErrorCode, number]>([
  ['TOPIC_NOT_ALLOWED', 0x87],
  ['NOT_A_GATEWAY', 0x87],
  ['BAD_PAYLOAD', 0x99],
  ['BATCH_EMPTY', 0x99],
  ['DEVICE_LIMIT_REACHED', 0x97],
  ['INTERNAL', 0x83],
])('a publish that is refused for %s is told 0x%x', (code, reason) => {
  expect(publishReason({ code })).toBe(reason);
});

it('only what may work later holds an acknowledgement back', () => {
  const codes: ErrorCode[] = ['BUSY', 'UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'RATE_LIMITED', 'BAD_PAYLOAD', 'INTERNAL'];
  expect(codes.filter((code) => isHolding({ code }))).toEqual([
    'BUSY',
    'UNAVAILABLE',
    'UPSTREAM_TIMEOUT',
    'RATE_LIMITED',
  ]);
});
