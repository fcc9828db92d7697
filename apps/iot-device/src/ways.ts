import { join } from 'node:path';
import { CodedError } from '#contracts';
import {
  FileMemory,
  MemoryMemory,
  type PairKeys,
  type Provisioning,
  type ProvisioningMemory,
  ZeroTouch,
  type ZeroTouchCaller,
  type ZeroTouchDescription,
  announcePairing,
  debugProvisioning,
  twoStep,
  userLogin,
  uuidAndSecret,
} from '#device-sdk';
import type { FleetAccess, OwnDevice } from './fleet.ts';

/** How simulated devices get themselves in. */
export type Way =
  | { way: 'debug'; macPrefix: string }
  | { way: 'two-step'; macPrefix: string; customer: string }
  | { way: 'uuid'; secretKey: string; uuid?: string; master?: string }
  | { way: 'zero-touch'; caller: Caller; device: ZeroTouchDescription }
  | { way: 'pair'; access: PairAccess; keys: PairKeys; minutes: number };

/** On whose behalf devices are provisioned by zero touch. */
export type Caller = { provisioningKey: string } | { email: string; password: string };

/** How a device that is to be paired gets in. */
export type PairAccess = { tokens: readonly string[] } | { macPrefix: string };

/** Where the devices are, how many, and where they keep what they learn: in a folder, or in memory. */
export interface Whereabouts {
  url: string;
  devices: number;
  state?: string;
}

/** Devices that each have a name, a memory and a way in of their own. */
export function ownDevices(way: Way, where: Whereabouts): FleetAccess {
  const { url, devices } = where;
  const memoryOf = (kind: Way['way'], name: string) => createMemory(where.state, kind, name);
  const debugDevice = (macPrefix: string, number: number): OwnDevice => {
    const name = macOf(macPrefix, number);
    return { name, provisioning: debugProvisioning({ url, macAddress: name, memory: memoryOf('debug', name) }) };
  };
  switch (way.way) {
    case 'debug':
      return { kind: 'own', device: (number) => debugDevice(way.macPrefix, number) };
    case 'two-step':
      return {
        kind: 'own',
        device: (number) => {
          const name = macOf(way.macPrefix, number);
          const { customer } = way;
          const memory = memoryOf('two-step', name);
          return { name, provisioning: twoStep({ url, customer, macAddress: name, memory }) };
        },
      };
    case 'uuid':
      return {
        kind: 'own',
        device: (number) => {
          const name = way.uuid ?? `uuid-${number}`;
          const { secretKey, uuid, master } = way;
          return {
            name,
            provisioning: uuidAndSecret({ url, secretKey, uuid, master, memory: memoryOf('uuid', name) }),
          };
        },
      };
    case 'zero-touch': {
      const caller = callerOf(url, way.caller);
      return {
        kind: 'own',
        device: (number) => {
          const suffix = suffixOf(number, devices);
          const device = { ...way.device, name: way.device.name + suffix, serial: way.device.serial + suffix };
          const memory = memoryOf('zero-touch', device.name);
          return { name: device.name, provisioning: new ZeroTouch({ url, caller, device, memory }) };
        },
      };
    }
    case 'pair':
      return {
        kind: 'own',
        device: (number) => {
          const { access, keys } = way;
          const device =
            'tokens' in access
              ? { name: `device-${number}`, provisioning: fixedToken(access.tokens[number - 1] ?? '') }
              : debugDevice(access.macPrefix, number);
          const own = { pairKey: keys.pairKey + suffixOf(number, devices), ownerKey: keys.ownerKey };
          return { ...device, attend: announcer(url, device.provisioning, own, way.minutes) };
        },
      };
  }
}

/** Where a device of this name keeps what it learns by this way. */
export function createMemory(state: string | undefined, way: Way['way'], name: string): ProvisioningMemory {
  if (state === undefined) return new MemoryMemory();
  return new FileMemory(join(state, `${way}-${fileNameOf(name)}.json`));
}

/** The MAC address of device `number`: the prefix, filled up to six pairs with the number. */
export function macOf(prefix: string, number: number): string {
  const pairs = prefix.split(':');
  const digits = number
    .toString(16)
    .toUpperCase()
    .padStart(2 * (6 - pairs.length), '0');
  return [...pairs, ...(digits.match(/../g) ?? [])].join(':');
}

/** A name that can be a file's, other for other names: colons go, what no file may have is percent-encoded. */
export const fileNameOf = (name: string): string =>
  encodeURIComponent(name).replaceAll('%3A', '').replaceAll('*', '%2A').replace(/^\./, '%2E');

/** `-07` for the seventh of twelve; nothing for the only one. */
export const suffixOf = (number: number, of: number): string =>
  of === 1 ? '' : `-${String(number).padStart(String(of).length, '0')}`;

function callerOf(url: string, caller: Caller): ZeroTouchCaller {
  return 'provisioningKey' in caller ? caller : { getToken: userLogin({ url, ...caller }) };
}

const fixedToken = (token: string): Provisioning => ({
  enter: (refused) =>
    refused
      ? Promise.reject(new CodedError('BAD_CREDENTIALS', 'The token is refused, and there is no other.'))
      : Promise.resolve({ token }),
});

function announcer(url: string, provisioning: Provisioning, keys: PairKeys, minutes: number): OwnDevice['attend'] {
  return async (signal, tell) => {
    let told = false;
    const onAnnounced = () => {
      if (!told) tell(`waits to be claimed by the pair key ${keys.pairKey}.`);
      told = true;
    };
    const outcome = await announcePairing({
      url,
      provisioning,
      ...keys,
      forMs: minutes * 60_000,
      signal,
      onAnnounced,
    });
    if (outcome === 'claimed') tell('has an owner.');
    if (outcome === 'over') tell(`was announced for ${minutes} minutes; its pair key is no longer renewed.`);
  };
}
