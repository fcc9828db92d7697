import { hostname } from 'node:os';
import { z } from 'zod';
import { Latitude, Longitude } from '#contracts';
import type { ZeroTouchDescription } from '#device-sdk';
import { machineSerial } from '../machine.ts';
import { UsageError } from '../usage-error.ts';
import type { Sections } from './config-file.ts';

const word = z.string().min(1, 'is empty').max(128, 'has more than 128 characters');
const degrees = z.coerce.number({ error: 'is not a number of degrees' });

/** The fields of the file; it may have others. */
const Fields = z.object({
  thingsboard: z.object({
    url: z.url({ protocol: /^https?$/, error: 'has to be an address such as https://iot.example.com' }),
    username: z.string().min(1).optional(),
    password: z.string().min(1).optional(),
    provisioning_key: z.string().min(1).optional(),
  }),
  profiles: z.object({
    country_profile_name: word.optional(),
    state_profile_name: word.optional(),
    device_profile_name: z.string({ error: 'is missing' }).pipe(word),
  }),
  device: z.object({ name: word.optional(), serial: word.optional(), customer: word.optional() }),
  location: z.object({
    country: word.optional(),
    state: word.optional(),
    latitude: degrees.pipe(Latitude).optional(),
    longitude: degrees.pipe(Longitude).optional(),
  }),
});
type Fields = z.output<typeof Fields>;

/** What the file says. */
export interface Settings {
  url: string;
  caller: { provisioningKey: string } | { email: string; password: string };
  device: ZeroTouchDescription;
}

/** Throws {@link UsageError} that names the field. */
export function readSettings(path: string, sections: Sections): Settings {
  const known = Object.keys(Fields.shape).map((name) => [name, withoutEmpty(sections[name] ?? {})] as const);
  const parsed = Fields.safeParse(Object.fromEntries(known));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const [section, field] = issue?.path ?? [];
    throw new UsageError(`${path}: ${String(field)} in [${String(section)}] ${issue?.message}.`);
  }
  const { thingsboard, profiles, device } = parsed.data;
  const name = device.name ?? hostname();
  return {
    url: thingsboard.url,
    caller: callerOf(path, thingsboard),
    device: {
      name,
      serial: device.serial ?? machineSerial() ?? name,
      deviceProfile: profiles.device_profile_name,
      countryProfile: profiles.country_profile_name,
      stateProfile: profiles.state_profile_name,
      customer: device.customer,
      fallbackLocation: locationOf(path, parsed.data.location),
    },
  };
}

function callerOf(path: string, { username, password, provisioning_key }: Fields['thingsboard']): Settings['caller'] {
  if (provisioning_key !== undefined) return { provisioningKey: provisioning_key };
  if (username !== undefined && password !== undefined) return { email: username, password };
  throw new UsageError(`${path}: [thingsboard] needs username and password, or provisioning_key.`);
}

function locationOf(path: string, { country, state, latitude, longitude }: Fields['location']) {
  if ((latitude === undefined) !== (longitude === undefined)) {
    throw new UsageError(`${path}: latitude and longitude in [location] go together.`);
  }
  if (country !== undefined && state !== undefined) return { country, state, latitude, longitude };
  if (country === undefined && state === undefined && latitude === undefined) return undefined;
  throw new UsageError(`${path}: [location] needs country and state.`);
}

/** A field that is set to nothing counts as not set. */
const withoutEmpty = (fields: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
