import { z } from 'zod';
import { MacAddress, Place, ZeroTouchDevice } from '#contracts';
import { text } from '#platform';

const Name = text(128);

/** A device that asks for its place, with texts that can be stored and its MAC address in the canonical form. */
export const AskedDevice = ZeroTouchDevice.extend({
  name: Name,
  serial: Name,
  macAddress: MacAddress.optional(),
  deviceProfile: Name,
  countryProfile: Name,
  stateProfile: Name,
  place: Place.extend({ country: Name, state: Name }).nullable(),
});
export type AskedDevice = z.output<typeof AskedDevice>;
export type AskedPlace = NonNullable<AskedDevice['place']>;
