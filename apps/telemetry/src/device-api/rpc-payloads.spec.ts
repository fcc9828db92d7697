import { describe, expect, test } from '@jest/globals';
import { payloadOf } from './payload.ts';
import { answerOf, methodOf, numberOf, outcomeOf, sessionLimitsReply } from './rpc-payloads.ts';

const BAD = expect.objectContaining({ code: 'BAD_PAYLOAD' });
const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe('an answer to a command', () => {
  test.each([
    ['{"ok":true}', { ok: true }],
    ['5', 5],
    ['"text"', 'text'],
    ['done', 'done'],
    ['', null],
  ])('%j is %j', (payload, answer) => {
    expect(answerOf(payloadOf(Buffer.from(payload)))).toEqual(answer);
  });

  test('says that the command failed only where it is an error and nothing else', () => {
    expect(outcomeOf({ error: 'jammed' })).toEqual({ ok: false, error: 'jammed' });
    expect(outcomeOf({ error: { code: 3 } })).toEqual({ ok: false, error: '{"code":3}' });
    expect(outcomeOf({ error: 'none', value: 1 })).toEqual({ ok: true, result: { error: 'none', value: 1 } });
    expect(outcomeOf(['error'])).toEqual({ ok: true, result: ['error'] });
    expect(outcomeOf(null)).toEqual({ ok: true, result: null });
  });
});

describe('a number in a topic', () => {
  test('is a whole one', () => {
    expect(numberOf('0', 'The id')).toBe(0);
    expect(numberOf('42', 'The id')).toBe(42);
  });

  test.each(['', '-1', '1.5', 'x', '12345678901', undefined])('%j is refused', (level) => {
    expect(thrownBy(() => numberOf(level, 'The id'))).toEqual(BAD);
  });
});

describe('a call', () => {
  test('names a method', () => {
    expect(methodOf({ method: 'getTime', params: {} })).toBe('getTime');
  });

  test.each([[{}], [{ method: '' }], [{ method: 1 }], [[]], [null]])('%j is refused', (document) => {
    expect(thrownBy(() => methodOf(document))).toEqual(BAD);
  });
});

describe('the limits of a session', () => {
  const limits = { maxPayloadSize: 65_536, maxInflightMessages: 100, messagesPerSecond: 500 };
  const rates = { messages: '500:1', telemetryMessages: null, telemetryDataPoints: null };

  test('are told to a device, and to a gateway also for the devices behind it', () => {
    expect(sessionLimitsReply(limits, false)).toEqual({
      maxPayloadSize: 65_536,
      maxInflightMessages: 100,
      rateLimits: rates,
    });
    expect(sessionLimitsReply(limits, true)).toMatchObject({ rateLimits: rates, gatewayRateLimits: rates });
  });

  test('name no rate where there is no limit', () => {
    const unlimited = sessionLimitsReply({ ...limits, messagesPerSecond: Number.POSITIVE_INFINITY }, false);
    expect(unlimited['rateLimits']).toEqual({ ...rates, messages: null });
  });
});
