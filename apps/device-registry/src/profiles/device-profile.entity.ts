import { Entity, Index } from 'typeorm';
import { ProfileEntity } from './profile.entity.ts';

/** What devices of one make have in common. Names are unique in any case. */
@Entity('device_profiles')
@Index('uq_device_profiles_sort_name', ['sortName'], { unique: true })
export class DeviceProfileEntity extends ProfileEntity {}
