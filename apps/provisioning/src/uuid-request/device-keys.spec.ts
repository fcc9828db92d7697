import { describe, expect, test } from '@jest/globals';
import { DeviceKeys } from './device-keys.ts';

describe("the house's keys", () => {
  const keys = new DeviceKeys({ master: 'the key of masters', agent: 'the key of agents' });

  test.each([
    ['the key of masters', 'master'],
    ['the key of agents', 'agent'],
    ['the key of master', undefined],
    ['the key of masters ', undefined],
    ['The key of masters', undefined],
    ['', undefined],
  ])('%j is the key of %s', (key, kind) => {
    expect(keys.kindOf(key)).toBe(kind);
  });

  test('that are not set let nobody in', () => {
    const none = new DeviceKeys({ master: undefined, agent: undefined });
    for (const key of ['', 'undefined', 'the key of masters']) expect(none.kindOf(key)).toBeUndefined();
    expect(new DeviceKeys({ master: undefined, agent: 'the key of agents' }).kindOf('the key of agents')).toBe('agent');
  });

  test('may not be the same', () => {
    expect(() => new DeviceKeys({ master: 'one key', agent: 'one key' })).toThrow(/DEVICE_AGENT_SECRET_KEY/);
  });
});
