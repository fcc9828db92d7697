import { hostname } from 'node:os';
import type { ZeroTouchLocation } from '#device-sdk';
import type { Variables } from './config.ts';
import { machineSerial } from './machine.ts';
import { UsageError } from './usage-error.ts';
import type { Caller, PairAccess, Way } from './ways.ts';

/** Who sends: devices by their tokens, a person, or devices that get themselves in. */
export type Sender =
  | { kind: 'tokens'; tokens: string[] }
  | { kind: 'person'; email: string; password: string }
  | { kind: 'own'; way: Way };

/** Throws {@link UsageError} when it is not said who sends, or it is said twice. */
export function senderOf(given: Variables): Sender {
  const { DEVICE_TOKEN: tokens, DEVICE_PROVISION: provision } = given;
  if (provision) return { kind: 'own', way: wayOf(given, provision) };
  const person = personOf(given);
  if (tokens && person) throw severalSenders();
  if (tokens) return { kind: 'tokens', tokens };
  if (person) return { kind: 'person', ...person };
  throw new UsageError('Who sends? Give --token, or --email and --password, or --provision with a way in.');
}

function wayOf(given: Variables, way: Way['way']): Way {
  if (given.DEVICE_EMAIL !== undefined && way !== 'zero-touch') throw severalSenders();
  if (given.DEVICE_TOKEN !== undefined && way !== 'pair') throw severalSenders();
  const macPrefix = given.DEVICE_MAC_PREFIX;
  switch (way) {
    case 'debug':
      return { way, macPrefix };
    case 'two-step':
      return { way, macPrefix, customer: needed(given, way, 'DEVICE_CUSTOMER', '--customer') };
    case 'uuid':
      if (given.DEVICE_UUID !== undefined && (given.DEVICE_COUNT ?? 1) > 1) {
        throw new UsageError('--uuid is for a single device: leave it out, and every device makes its own.');
      }
      return {
        way,
        secretKey: needed(given, way, 'DEVICE_SECRET_KEY', '--secret-key'),
        uuid: given.DEVICE_UUID,
        master: given.DEVICE_MASTER,
      };
    case 'zero-touch':
      return zeroTouchOf(given);
    case 'pair':
      return {
        way,
        access: pairAccessOf(given),
        keys: {
          pairKey: needed(given, way, 'DEVICE_PAIR_KEY', '--pair-key'),
          ownerKey: needed(given, way, 'DEVICE_OWNER_KEY', '--owner-key'),
        },
        minutes: given.DEVICE_PAIR_MINUTES,
      };
  }
}

function zeroTouchOf(given: Variables): Way {
  const way = 'zero-touch';
  return {
    way,
    caller: callerOf(given),
    device: {
      name: given.DEVICE_NAME ?? hostname(),
      serial: given.DEVICE_SERIAL ?? machineSerial() ?? given.DEVICE_NAME ?? hostname(),
      deviceProfile: needed(given, way, 'DEVICE_PROFILE', '--device-profile'),
      countryProfile: given.DEVICE_COUNTRY_PROFILE,
      stateProfile: given.DEVICE_STATE_PROFILE,
      customer: given.DEVICE_CUSTOMER,
      location: locationOf(given),
    },
  };
}

function callerOf(given: Variables): Caller {
  const provisioningKey = given.DEVICE_PROVISIONING_KEY;
  const person = personOf(given);
  if (provisioningKey !== undefined && person) {
    throw new UsageError('Give --provisioning-key or --email and --password, not both.');
  }
  if (provisioningKey !== undefined) return { provisioningKey };
  if (person) return person;
  throw new UsageError('--provision zero-touch needs --provisioning-key, or --email and --password.');
}

function locationOf(given: Variables): ZeroTouchLocation | undefined {
  const {
    DEVICE_COUNTRY: country,
    DEVICE_REGION: state,
    DEVICE_LATITUDE: latitude,
    DEVICE_LONGITUDE: longitude,
  } = given;
  if ((latitude === undefined) !== (longitude === undefined)) {
    throw new UsageError('--latitude and --longitude go together.');
  }
  if (country !== undefined && state !== undefined) return { country, state, latitude, longitude };
  if (country === undefined && state === undefined && latitude === undefined) return undefined;
  throw new UsageError('A location needs --country and --region.');
}

function personOf({ DEVICE_EMAIL: email, DEVICE_PASSWORD: password }: Variables) {
  if (email === undefined) return undefined;
  if (password === undefined) throw new UsageError('--email needs --password.');
  return { email, password };
}

const pairAccessOf = ({ DEVICE_TOKEN: tokens, DEVICE_MAC_PREFIX: macPrefix }: Variables): PairAccess =>
  tokens ? { tokens } : { macPrefix };

function needed(
  given: Variables,
  way: Way['way'],
  name: 'DEVICE_CUSTOMER' | 'DEVICE_SECRET_KEY' | 'DEVICE_PROFILE' | 'DEVICE_PAIR_KEY' | 'DEVICE_OWNER_KEY',
  flag: string,
): string {
  const value = given[name];
  if (value === undefined) throw new UsageError(`--provision ${way} needs ${flag} (${name}).`);
  return value;
}

const severalSenders = (): UsageError => new UsageError('Give one of --token, --email and --provision, not several.');
