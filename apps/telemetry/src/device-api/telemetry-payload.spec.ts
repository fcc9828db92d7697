import { describe, expect, test } from '@jest/globals';
import { CodedError } from '#contracts';
import { jsonOf, payloadOf } from './payload.ts';
import { parseTelemetry } from './telemetry-payload.ts';

const TS = 1_700_000_000_000;
const readings = (document: unknown) => parseTelemetry(document).readings;
const refusal = (document: unknown): unknown => {
  try {
    parseTelemetry(document);
  } catch (error) {
    return error instanceof CodedError ? error.code : error;
  }
  return undefined;
};

describe('telemetry', () => {
  test('is an object of values', () => {
    expect(readings({ temp: 21.5, on: true, text: 'x' })).toEqual([
      { sensor: 'temp', value: 21.5 },
      { sensor: 'on', value: true },
      { sensor: 'text', value: 'x' },
    ]);
  });

  test('is values with a time', () => {
    expect(readings({ ts: TS, values: { temp: 21.5, hum: 40 } })).toEqual([
      { sensor: 'temp', ts: TS, value: 21.5 },
      { sensor: 'hum', ts: TS, value: 40 },
    ]);
  });

  test('is an array of either', () => {
    expect(readings([{ temp: 1 }, { ts: TS, values: { temp: 2 } }])).toEqual([
      { sensor: 'temp', value: 1 },
      { sensor: 'temp', ts: TS, value: 2 },
    ]);
  });

  test('has a time only where both ts and values are there', () => {
    expect(readings({ ts: 1, a: 2 })).toEqual([
      { sensor: 'ts', value: 1 },
      { sensor: 'a', value: 2 },
    ]);
    expect(readings({ values: { a: 2 } })).toEqual([{ sensor: 'values', value: { a: 2 } }]);
  });

  test.each([
    [TS, TS],
    [TS + 0.75, TS],
    [String(TS), TS],
    [0, 0],
    [-5, -5],
  ])('takes the time %p', (ts, expected) => {
    expect(readings({ ts, values: { a: 1 } })).toEqual([{ sensor: 'a', ts: expected, value: 1 }]);
  });

  test.each([['soon'], [''], ['1e12'], [`${String(TS)}.5`], ['-1'], [null], [true], [{}], [[]]])(
    'is refused for the time %p',
    (ts) => {
      expect(refusal({ ts, values: { a: 1 } })).toBe('BAD_PAYLOAD');
    },
  );

  test('leaves out null, and what stands beside ts and values', () => {
    const metadata = { connector: 'c', receivedTs: 1, publishedTs: 2 };
    expect(readings({ ts: TS, values: { a: null, b: 1 }, metadata })).toEqual([{ sensor: 'b', ts: TS, value: 1 }]);
    expect(readings({ a: null })).toEqual([]);
  });

  test.each([[{}], [[]], [[{}]], [{ ts: TS, values: {} }]])('%j has no readings and is taken', (document) => {
    expect(readings(document)).toEqual([]);
  });

  test('turns texts that write numbers into numbers, and wraps arrays', () => {
    expect(readings({ a: '12', b: '1e5', c: [1, 'x'], d: { e: ['1'] } })).toEqual([
      { sensor: 'a', value: 12 },
      { sensor: 'b', value: '1e5' },
      { sensor: 'c', value: { array: [1, 'x'] } },
      { sensor: 'd', value: { e: ['1'] } },
    ]);
  });

  test('names sensors by keys that cannot be names in a way that can be told again', () => {
    expect(readings({ 'CPU %': 3 })).toEqual([{ sensor: 'CPU/:20/:25', value: 3 }]);
  });

  test('keeps keys that JavaScript has a meaning for', () => {
    expect(readings(JSON.parse('{"__proto__": 1, "constructor": 2}'))).toEqual([
      { sensor: '__proto__', value: 1 },
      { sensor: 'constructor', value: 2 },
    ]);
  });

  test('tells apart what a device says of its firmware, as it wrote it', () => {
    expect(parseTelemetry({ current_fw_version: '1.0', fw_state: 'UPDATED', temp: 1 }).firmware).toEqual({
      current_fw_version: '1.0',
      fw_state: 'UPDATED',
    });
    expect(parseTelemetry({ sw_error: 'x' }).firmware).toEqual({ sw_error: 'x' });
    expect(parseTelemetry({ target_fw_version: 1, fw: 2 }).firmware).toBeUndefined();
  });

  test.each([[1], ['x'], [true], [null], [[1]], [[[]]], [[{ a: 1 }, null]], [{ ts: TS, values: [] }]])(
    '%j is refused',
    (document) => {
      expect(refusal(document)).toBe('BAD_PAYLOAD');
    },
  );

  test('is taken however deep a value is nested', () => {
    const deep = jsonOf(payloadOf(Buffer.from(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)));
    expect(readings(deep)).toHaveLength(1);
  });
});

describe('a payload', () => {
  test('may have U+FFFD, and a byte order mark', () => {
    expect(jsonOf(payloadOf(Buffer.from('\ufeff{"a":"\ufffd"}')))).toEqual({ a: '\ufffd' });
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{a: 1}')],
    ['JSON that is cut off', Buffer.from('{"a":')],
    ['no UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22])],
    ['NaN', Buffer.from('{"a":NaN}')],
  ])('of %s is refused', (_, payload) => {
    expect(() => jsonOf(payloadOf(payload))).toThrow(CodedError);
  });
});
