import { describe, expect, test } from '@jest/globals';
import { SENSOR_NAME } from '#contracts';
import { keyOfSensor, sensorOfKey } from './sensor-of-key.ts';

describe('the sensor of a key', () => {
  test.each(['temperature', 'a.b-c_d/e:f', 'ble:AA:BB:01', 'http://x', '/', ':20', '/:2g'])('is "%s" itself', (key) => {
    expect(sensorOfKey(key)).toBe(key);
    expect(keyOfSensor(key)).toBe(key);
  });

  test.each([
    ['CPU %', 'CPU/:20/:25'],
    ['Température', 'Temp/:C3/:A9rature'],
    ['a/:20', 'a/:2F:20'],
    ['"x"', '/:22x/:22'],
    ['🌡', '/:F0/:9F/:8C/:A1'],
  ])('"%s" is %s, a name from which the key can be told again', (key, sensor) => {
    expect(sensorOfKey(key)).toBe(sensor);
    expect(sensor).toMatch(SENSOR_NAME);
    expect(keyOfSensor(sensor)).toBe(key);
  });

  test('is another one for every key', () => {
    const keys = ['a ', 'a/:20', 'a/:2F:20', 'a/: 20', 'a%20', 'a'];
    expect(new Set(keys.map(sensorOfKey)).size).toBe(keys.length);
    expect(keys.map(sensorOfKey).map(keyOfSensor)).toEqual(keys);
  });

  test.each(['', '\ud800', 'x'.repeat(65), ' '.repeat(20)])('that cannot be a name even then is none', (key) => {
    expect(sensorOfKey(key)).not.toMatch(SENSOR_NAME);
  });
});
