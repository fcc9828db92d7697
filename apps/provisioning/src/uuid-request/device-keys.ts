import { createHash, timingSafeEqual } from 'node:crypto';
import { ConfigError } from '#platform';

/** What devices that bring a uuid may be: the secret key that they know says which. */
export type KeyedKind = 'master' | 'agent';

/** The secret keys of the house, one for each kind of device; a kind without one cannot get in. */
export class DeviceKeys {
  private readonly digests: readonly [KeyedKind, Buffer][];

  /** Throws {@link ConfigError} for two keys that are the same: nobody could tell what a device is. */
  constructor(keys: { master: string | undefined; agent: string | undefined }) {
    if (keys.master !== undefined && keys.master === keys.agent) {
      throw new ConfigError(['DEVICE_AGENT_SECRET_KEY: must not be the same as DEVICE_MASTER_SECRET_KEY']);
    }
    this.digests = (['master', 'agent'] as const).flatMap((kind) => {
      const key = keys[kind];
      return key === undefined ? [] : [[kind, digestOf(key)]];
    });
  }

  /** Whose key this is, in a time that does not depend on how much of it is right; undefined for nobody's. */
  kindOf(key: string): KeyedKind | undefined {
    const digest = digestOf(key);
    const matches = this.digests.map(([kind, own]) => ({ kind, isSame: timingSafeEqual(own, digest) }));
    return matches.find(({ isSame }) => isSame)?.kind;
  }
}

const digestOf = (key: string): Buffer => createHash('sha256').update(key).digest();
