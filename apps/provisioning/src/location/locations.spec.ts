import { describe, expect, test } from '@jest/globals';
import type { Place } from '#contracts';
import { LocationFailure, type LocationProvider } from './location-provider.ts';
import { Locations } from './locations.ts';

const BERN = { country: 'Switzerland', state: 'Bern' };
const HOME = { country: 'Iceland', state: 'Vesturland' };

const saying = (place: Place | null): LocationProvider => ({ locate: async () => place });
const failing: LocationProvider = { locate: () => Promise.reject(new LocationFailure('the service is away')) };

function locationsWith(providers: LocationProvider[], configured: Place | null = null) {
  const warnings: string[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: (_: unknown, words: string) => warnings.push(words) };
  return { warnings, locations: new Locations(providers, configured, log as never) };
}

describe('where a device is', () => {
  test('is what it says, and nobody else is asked', async () => {
    const { locations } = locationsWith([failing], HOME);
    expect(await locations.find(BERN, '8.8.8.8')).toEqual({ place: BERN, source: 'request', warnings: [] });
  });

  test('is what the first provider says that knows', async () => {
    const { locations } = locationsWith([failing, saying(null), saying(BERN), saying(HOME)]);
    expect(await locations.find(undefined, '8.8.8.8')).toEqual({ place: BERN, source: 'ip', warnings: [] });
  });

  test.each<[string, LocationProvider[], string, string]>([
    ['no provider', [], '8.8.8.8', 'no lookup'],
    ['a private address', [saying(BERN)], '10.0.0.1', 'not a public one'],
    ['one that does not know', [saying(null)], '8.8.8.8', 'nothing is known'],
    ['one that fails', [failing], '8.8.8.8', 'the service is away'],
  ])('with %s it is the configured place, or none; why, is a warning', async (_what, providers, address, why) => {
    const message = expect.stringContaining(why);
    const configured = await locationsWith(providers, HOME).locations.find(undefined, address);
    expect(configured).toEqual({ place: HOME, source: 'config', warnings: [{ code: 'LOCATION_FALLBACK', message }] });
    const unknown = await locationsWith(providers).locations.find(undefined, address);
    expect(unknown).toEqual({ place: null, source: null, warnings: [{ code: 'LOCATION_UNKNOWN', message }] });
  });

  test('what a device is configured with goes before what we are, and after its address', async () => {
    const { locations } = locationsWith([saying(null)], HOME);
    expect(await locations.find(undefined, '8.8.8.8', BERN)).toMatchObject({ place: BERN, source: 'config' });
    const knowing = locationsWith([saying(HOME)]).locations;
    expect(await knowing.find(undefined, '8.8.8.8', BERN)).toMatchObject({ place: HOME, source: 'ip', warnings: [] });
  });

  test('a provider that fails again and again is logged once', async () => {
    const { locations, warnings } = locationsWith([failing]);
    for (let asked = 0; asked < 3; asked += 1) await locations.find(undefined, '8.8.8.8');
    expect(warnings).toHaveLength(1);
  });
});
