import { Module, type DynamicModule } from '@nestjs/common';
import type { ProvisioningConfig } from '../config.ts';
import { CachedLocations } from './cached-locations.ts';
import { CONFIGURED_PLACE, configuredPlace } from './configured-place.ts';
import { HttpLocations } from './http-locations.adapter.ts';
import { LOCATION_PROVIDERS, type LocationProvider } from './location-provider.ts';
import { Locations } from './locations.ts';

/** Where devices are, by the providers that are configured. */
@Module({})
export class LocationModule {
  static register(config: ProvisioningConfig): DynamicModule {
    return {
      module: LocationModule,
      providers: [
        Locations,
        { provide: LOCATION_PROVIDERS, useFactory: () => providersOf(config) },
        { provide: CONFIGURED_PLACE, useFactory: () => configuredPlace(config) },
      ],
      exports: [Locations],
    };
  }
}

/** The file first: it costs nothing to ask. Its reader is loaded only where there is one. */
async function providersOf(config: ProvisioningConfig): Promise<LocationProvider[]> {
  const { LOCATION_MMDB, LOCATION_URL, LOCATION_TIMEOUT_MS } = config;
  return [
    ...(LOCATION_MMDB === undefined ? [] : [await mmdbLocations(LOCATION_MMDB)]),
    ...(LOCATION_URL === undefined ? [] : [new CachedLocations(new HttpLocations(LOCATION_URL, LOCATION_TIMEOUT_MS))]),
  ];
}

async function mmdbLocations(path: string): Promise<LocationProvider> {
  const { MmdbLocations } = await import('./mmdb-locations.adapter.ts');
  return new MmdbLocations(path);
}
