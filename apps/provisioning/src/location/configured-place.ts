import { ConfigError } from '#platform';
import type { Place } from '#contracts';
import type { ProvisioningConfig } from '../config.ts';

/** Injection symbol of the place of devices that nothing else is known of; null if there is none. */
export const CONFIGURED_PLACE = Symbol('CONFIGURED_PLACE');

/** The place that the configuration names; null if it names none. Throws {@link ConfigError} for a half of one. */
export function configuredPlace({
  LOCATION_COUNTRY: country,
  LOCATION_STATE: state,
  LOCATION_LATITUDE: latitude,
  LOCATION_LONGITUDE: longitude,
}: Partial<ProvisioningConfig>): Place | null {
  if ((latitude === undefined) !== (longitude === undefined)) {
    throw new ConfigError(['LOCATION_LATITUDE and LOCATION_LONGITUDE: one needs the other']);
  }
  if (country === undefined && state === undefined) {
    if (latitude === undefined) return null;
    throw new ConfigError(['LOCATION_LATITUDE: needs LOCATION_COUNTRY and LOCATION_STATE too']);
  }
  if (country === undefined || state === undefined) {
    throw new ConfigError(['LOCATION_COUNTRY and LOCATION_STATE: one needs the other']);
  }
  return { country, state, ...(latitude === undefined ? {} : { latitude, longitude }) };
}
