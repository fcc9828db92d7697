import { Column, Entity, Index } from 'typeorm';
import { column } from '#sql';
import { ProfileEntity } from './profile.entity.ts';

/** What devices of one make have in common. Names are unique in any case. */
@Entity('device_profiles')
@Index('uq_device_profiles_sort_name', ['sortName'], { unique: true })
export class DeviceProfileEntity extends ProfileEntity {
  /** How long such a device may be silent before it counts as offline; null: as long as the platform says. */
  @Column(column.integer({ name: 'inactivity_seconds', nullable: true }))
  declare inactivitySeconds: number | null;
}
