import { Inject, Injectable } from '@nestjs/common';
import type { Place } from '#contracts';
import { LOGGER, type Log } from '#platform';
import { CONFIGURED_PLACE } from './configured-place.ts';
import { LOCATION_PROVIDERS, LocationFailure, type LocationProvider } from './location-provider.ts';
import { publicAddress } from './public-address.ts';

/** Something that whoever asked should know, though it was no failure. */
export interface LocationWarning {
  code: 'LOCATION_FALLBACK' | 'LOCATION_UNKNOWN';
  message: string;
}

/** Where a device is taken to be, and how that is known. */
export interface Located {
  place: Place | null;
  source: 'request' | 'ip' | 'config' | null;
  warnings: LocationWarning[];
}

/** Finds out where devices are: by what they say, else by their address, else by what they or we are configured with. */
@Injectable()
export class Locations {
  /** Providers whose last answer was a failure: only the first one in a row is logged. */
  private readonly failing = new Set<LocationProvider>();

  constructor(
    @Inject(LOCATION_PROVIDERS) private readonly providers: readonly LocationProvider[],
    @Inject(CONFIGURED_PLACE) private readonly configured: Place | null,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  /** Never fails: that nothing is known is a warning. `fallback` is what a device is configured with for that case. */
  async find(said: Place | undefined, address: string, fallback?: Place): Promise<Located> {
    if (said) return { place: said, source: 'request', warnings: [] };
    const found = await this.ofAddress(address);
    if (typeof found !== 'string') return { place: found, source: 'ip', warnings: [] };
    const reason = `The request names no location, and ${found}`;
    const configured = fallback ?? this.configured;
    if (configured) {
      const message = `${reason}: taken is the configured one, ${configured.state} in ${configured.country}.`;
      return { place: configured, source: 'config', warnings: [{ code: 'LOCATION_FALLBACK', message }] };
    }
    const message = `${reason}: the device is in no country and state. Send location {country, state}, or set LOCATION_COUNTRY and LOCATION_STATE, LOCATION_URL or LOCATION_MMDB.`;
    return { place: null, source: null, warnings: [{ code: 'LOCATION_UNKNOWN', message }] };
  }

  /** A place, or why there is none. */
  private async ofAddress(address: string): Promise<Place | string> {
    if (this.providers.length === 0) return 'no lookup by address is configured';
    const asked = publicAddress(address);
    if (asked === undefined) return 'the address that it comes from is not a public one';
    let reason = 'nothing is known of the address that it comes from';
    for (const provider of this.providers) {
      const answer = await this.ask(provider, asked);
      if (typeof answer === 'string') reason = answer;
      else if (answer) return answer;
    }
    return reason;
  }

  private async ask(provider: LocationProvider, address: string): Promise<Place | null | string> {
    try {
      const place = await provider.locate(address);
      this.failing.delete(provider);
      return place;
    } catch (error) {
      if (!(error instanceof LocationFailure)) throw error;
      if (!this.failing.has(provider)) this.log.warn({ err: error }, 'locations cannot be looked up just now');
      this.failing.add(provider);
      return error.message;
    }
  }
}
