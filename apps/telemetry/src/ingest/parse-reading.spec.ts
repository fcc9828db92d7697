import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ReadingInput } from '#contracts';
import { readingText } from '../reading-log/log-body.ts';
import { parseReading, type ParsedReading, type ReadingFault } from './parse-reading.ts';

const NOW = Date.UTC(2026, 5, 1, 12);
const WINDOW = { now: NOW, oldest: NOW - 365 * 86_400_000 };

const parse = (input: unknown): ParsedReading | ReadingFault => parseReading(input, 0, WINDOW);
const codeOf = (input: unknown): string => {
  const parsed = parse(input);
  return 'code' in parsed ? parsed.code : 'accepted';
};
const readingOf = (input: unknown): unknown => {
  const parsed = parse(input);
  if ('code' in parsed) return parsed;
  return JSON.parse(readingText(parsed.sensor, parsed.ts, parsed.value, parsed.unit, parsed.location)) as unknown;
};

describe('a reading that can be kept', () => {
  it('has the sensor under either of its two names', () => {
    expect(readingOf({ sensor: 'temperature', value: 21.5, ts: NOW })).toEqual(['temperature', NOW, 21.5]);
    expect(readingOf({ location: 'hall', sensorType: 'temperature', value: 21.5, ts: NOW })).toEqual([
      'temperature',
      NOW,
      21.5,
      null,
      'hall',
    ]);
    expect(readingOf({ sensor: 'a', sensorType: 'a', value: 1, ts: NOW })).toEqual(['a', NOW, 1]);
  });

  it('has its time in milliseconds or as ISO 8601 with an offset, under either name', () => {
    expect(readingOf({ sensor: 'a', value: 1, timestamp: NOW - 5 })).toEqual(['a', NOW - 5, 1]);
    expect(readingOf({ sensor: 'a', value: 1, ts: '2026-06-01T10:00:00.250Z' })).toEqual(['a', NOW - 7_199_750, 1]);
    expect(readingOf({ sensor: 'a', value: 1, ts: '2026-06-01T12:00:00+02:00' })).toEqual(['a', NOW - 7_200_000, 1]);
  });

  it('without a time gets the time received and says so', () => {
    expect(parse({ sensor: 'a', value: 1 })).toMatchObject({ sensor: 'a', ts: NOW, timeless: true });
    expect(parse({ sensor: 'a', value: 1, ts: null })).toMatchObject({ timeless: true });
  });

  it('has a number, a boolean, a string or a JSON object as its value', () => {
    for (const value of [0, -1.5e300, true, false, '', 'on', '{"a":1}', {}, { a: { b: [1, null, 'x'] } }]) {
      expect(readingOf({ sensor: 'a', value, ts: NOW })).toEqual(['a', NOW, value]);
    }
  });

  it('may name a device, a unit and a place', () => {
    const full = { sensor: 'a', value: 1, ts: NOW, device: 'd', unit: '°C', location: { lat: 1, lon: 2, alt: 3 } };
    expect(parse(full)).toMatchObject({ device: 'd', timeless: false });
    expect(readingOf(full)).toEqual(['a', NOW, 1, '°C', { lat: 1, lon: 2, alt: 3 }]);
    expect(readingOf({ sensor: 'a', value: 1, ts: NOW, unit: null, location: null, device: null })).toEqual([
      'a',
      NOW,
      1,
    ]);
  });
});

describe('a reading that cannot be kept', () => {
  it.each([
    ['NOT_AN_OBJECT', null],
    ['NOT_AN_OBJECT', 5],
    ['NOT_AN_OBJECT', 'temperature'],
    ['NOT_AN_OBJECT', [[1]]],
    ['NOT_AN_OBJECT', Buffer.from('x')],
    ['UNKNOWN_FIELD', { sensor: 'a', value: 1, colour: 'red' }],
    ['BAD_SENSOR', { value: 1 }],
    ['BAD_SENSOR', { sensor: '', value: 1 }],
    ['BAD_SENSOR', { sensor: 'a b', value: 1 }],
    ['BAD_SENSOR', { sensor: 'x'.repeat(65), value: 1 }],
    ['BAD_SENSOR', { sensor: { $ne: '' }, value: 1 }],
    ['BAD_SENSOR', { sensor: 'a', sensorType: 'b', value: 1 }],
    ['BAD_VALUE', { sensor: 'a' }],
    ['BAD_VALUE', { sensor: 'a', value: null }],
    ['BAD_VALUE', { sensor: 'a', value: NaN }],
    ['BAD_VALUE', { sensor: 'a', value: Infinity }],
    ['BAD_VALUE', { sensor: 'a', value: [1] }],
    ['BAD_VALUE', { sensor: 'a', value: Buffer.from('x') }],
    ['BAD_VALUE', { sensor: 'a', value: 'x'.repeat(4_097) }],
    ['BAD_VALUE', { sensor: 'a', value: '€'.repeat(1_400) }],
    ['BAD_VALUE', { sensor: 'a', value: '\ud800' }],
    ['BAD_VALUE', { sensor: 'a', value: 'a\0b' }],
    ['BAD_VALUE', { sensor: 'a', value: { text: 'x'.repeat(8_192) } }],
    ['BAD_VALUE', { sensor: 'a', value: { text: 'a\0b' } }],
    ['BAD_VALUE', { sensor: 'a', value: { '\udfff': 1 } }],
    ['BAD_UNIT', { sensor: 'a', value: 1, unit: 5 }],
    ['BAD_UNIT', { sensor: 'a', value: 1, unit: 'x'.repeat(33) }],
    ['BAD_LOCATION', { sensor: 'a', value: 1, location: '' }],
    ['BAD_LOCATION', { sensor: 'a', value: 1, location: 'x'.repeat(129) }],
    ['BAD_LOCATION', { sensor: 'a', value: 1, location: { lat: 91, lon: 0 } }],
    ['BAD_LOCATION', { sensor: 'a', value: 1, location: { lat: 0, lon: -181 } }],
    ['BAD_LOCATION', { sensor: 'a', value: 1, location: { lat: 0, lon: 0, floor: 3 } }],
    ['BAD_LOCATION', { sensor: 'a', value: 1, location: ['hall'] }],
    ['BAD_TIMESTAMP', { sensor: 'a', value: 1, ts: 'yesterday' }],
    ['BAD_TIMESTAMP', { sensor: 'a', value: 1, ts: '2026-02-30T00:00:00Z' }],
    ['BAD_TIMESTAMP', { sensor: 'a', value: 1, ts: '2026-06-01' }],
    ['BAD_TIMESTAMP', { sensor: 'a', value: 1, ts: 1.5 }],
    ['BAD_TIMESTAMP', { sensor: 'a', value: 1, ts: -1 }],
    ['BAD_TIMESTAMP', { sensor: 'a', value: 1, ts: 1e300 }],
    ['BAD_TIMESTAMP', { sensor: 'a', value: 1, ts: true }],
    ['TIMESTAMP_IN_FUTURE', { sensor: 'a', value: 1, ts: NOW + 86_400_001 }],
    ['TIMESTAMP_TOO_OLD', { sensor: 'a', value: 1, ts: WINDOW.oldest - 1 }],
    ['DEVICE_NOT_ALLOWED', { sensor: 'a', value: 1, device: '' }],
    ['DEVICE_NOT_ALLOWED', { sensor: 'a', value: 1, device: { $gt: '' } }],
  ])('is refused as %s: %j', (code, input) => {
    expect(codeOf(input)).toBe(code);
  });

  it('is told that seconds are not milliseconds', () => {
    expect(parse({ sensor: 'a', value: 1, ts: Math.floor(NOW / 1000) })).toMatchObject({
      code: 'TIMESTAMP_TOO_OLD',
      message: expect.stringContaining('Send milliseconds'),
    });
  });

  it('may be nested as deep as a message allows without harm', () => {
    const deep = JSON.parse('{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000)) as unknown;
    expect(codeOf({ sensor: 'a', value: deep })).toBe('BAD_VALUE');
  });

  it('does not reach the prototype of anything', () => {
    const hostile = JSON.parse(
      '{"sensor":"__proto__","value":{"__proto__":{"polluted":true}},"ts":' + String(NOW) + '}',
    ) as unknown;
    expect(codeOf(hostile)).toBe('accepted');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

it('agrees with the schema of the contracts on whatever JSON comes', () => {
  const often = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
  const field = {
    sensor: fc.oneof(often('t', 'a/b', 'x y', '', 'x'.repeat(65)), fc.jsonValue()),
    value: fc.oneof(fc.double(), fc.boolean(), fc.string(), fc.jsonValue()),
    unit: fc.oneof(often('V', null, '', 'x'.repeat(33)), fc.jsonValue()),
    location: fc.oneof(often<unknown>('hall', '', null, { lat: 1, lon: 2 }, { lat: 100, lon: 2 }), fc.jsonValue()),
    ts: fc.oneof(often<unknown>(NOW, '2026-05-01T00:00:00Z', '2026-05-32T00:00:00Z', -1, 1.5, null), fc.jsonValue()),
    device: fc.oneof(often<unknown>('d', '', null), fc.jsonValue()),
  };
  fc.assert(
    fc.property(fc.record(field, { requiredKeys: ['sensor', 'value'] }), (generated) => {
      const input: unknown = JSON.parse(JSON.stringify(generated));
      const code = codeOf(input);
      const beyondTheSchema =
        ['TIMESTAMP_IN_FUTURE', 'TIMESTAMP_TOO_OLD'].includes(code) ||
        /\\u0000|\\ud[89a-f]/.test(JSON.stringify(input));
      if (!beyondTheSchema)
        expect({ input, accepted: code === 'accepted' }).toEqual({
          input,
          accepted: ReadingInput.safeParse(input).success,
        });
    }),
    { numRuns: 2_000 },
  );
});
