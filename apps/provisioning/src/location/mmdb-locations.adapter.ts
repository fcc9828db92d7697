import { stat } from 'node:fs/promises';
import { open, type CityResponse, type Reader } from 'maxmind';
import type { Place } from '#contracts';
import { LocationFailure, type LocationProvider } from './location-provider.ts';
import { placeFound } from './place-found.ts';

/** A file as it was read; another time or size means another file. */
interface Opened {
  reader: Reader<CityResponse>;
  mtimeMs: number;
  size: number;
}

/** Looks in a file in MaxMind's DB format with cities (GeoLite2 City and its like); a new file is read once it is there. */
export class MmdbLocations implements LocationProvider {
  private opened: Opened | undefined;

  constructor(private readonly path: string) {}

  async locate(address: string): Promise<Place | null> {
    const { country, subdivisions, location } = (await this.present()).get(address) ?? {};
    return placeFound({
      country: country?.names.en,
      state: subdivisions?.[0]?.names.en,
      latitude: location?.latitude,
      longitude: location?.longitude,
    });
  }

  private async present(): Promise<Reader<CityResponse>> {
    try {
      const { mtimeMs, size } = await stat(this.path);
      if (this.opened?.mtimeMs !== mtimeMs || this.opened.size !== size) {
        this.opened = { reader: await open<CityResponse>(this.path), mtimeMs, size };
      }
      return this.opened.reader;
    } catch (error) {
      throw new LocationFailure('the location file LOCATION_MMDB cannot be read', { cause: error });
    }
  }
}
