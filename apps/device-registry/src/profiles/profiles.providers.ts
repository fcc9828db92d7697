import type { Provider } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { CLOCK, type Clock } from '#platform';
import { REGISTRY } from '../data-source-name.ts';
import { ASSET_PROFILE, DEVICE_PROFILE, type ProfileKind } from './profile-kinds.ts';
import { ASSET_PROFILES, DEVICE_PROFILES, Profiles } from './profiles.service.ts';

const profilesOf = (provide: symbol, kind: ProfileKind): Provider => ({
  provide,
  inject: [getDataSourceToken(REGISTRY), CLOCK],
  useFactory: (dataSource: DataSource, now: Clock) => new Profiles(kind, dataSource, now),
});

/** The profiles of devices and those of assets. */
export const PROFILES: Provider[] = [
  profilesOf(DEVICE_PROFILES, DEVICE_PROFILE),
  profilesOf(ASSET_PROFILES, ASSET_PROFILE),
];
