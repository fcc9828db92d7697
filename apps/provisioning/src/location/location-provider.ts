import type { Place } from '#contracts';

/** Injection symbol of the {@link LocationProvider}s, in the order in which they are asked. */
export const LOCATION_PROVIDERS = Symbol('LOCATION_PROVIDERS');

/** Somebody who knows where in the world an IP address is. */
export interface LocationProvider {
  /** Null for an address of which no country and state are known. Throws {@link LocationFailure}. */
  locate(address: string): Promise<Place | null>;
}

/** A provider could not answer; the message ends a sentence, and names neither its address nor its keys. */
export class LocationFailure extends Error {
  override name = 'LocationFailure';
}
