import { expect, test } from '@jest/globals';
import { ConfigError } from '#platform';
import { configuredPlace } from './configured-place.ts';

const NAMES = { LOCATION_COUNTRY: 'Iceland', LOCATION_STATE: 'Vesturland' };

test('a place is configured by its names, with or without coordinates, or not at all', () => {
  expect(configuredPlace({})).toBeNull();
  expect(configuredPlace(NAMES)).toEqual({ country: 'Iceland', state: 'Vesturland' });
  expect(configuredPlace({ ...NAMES, LOCATION_LATITUDE: 0, LOCATION_LONGITUDE: -21.9 })).toEqual({
    country: 'Iceland',
    state: 'Vesturland',
    latitude: 0,
    longitude: -21.9,
  });
});

test.each([
  { LOCATION_COUNTRY: 'Iceland' },
  { LOCATION_STATE: 'Vesturland' },
  { ...NAMES, LOCATION_LATITUDE: 1 },
  { ...NAMES, LOCATION_LONGITUDE: 1 },
  { LOCATION_LATITUDE: 1, LOCATION_LONGITUDE: 1 },
])('%j is half a place, and said to be', (config) => {
  expect(() => configuredPlace(config)).toThrow(ConfigError);
});
