import { Entity, Index } from 'typeorm';
import { ProfileEntity } from './profile.entity.ts';

/** What assets of one sort are called: Country, State, Building. Names are unique in any case. */
@Entity('asset_profiles')
@Index('uq_asset_profiles_sort_name', ['sortName'], { unique: true })
export class AssetProfileEntity extends ProfileEntity {}
