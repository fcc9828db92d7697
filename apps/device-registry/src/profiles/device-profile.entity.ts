import { Column, Entity, Index } from 'typeorm';
import { column } from '#sql';

/** What devices of one make have in common. Names are unique in any case. */
@Entity('device_profiles')
@Index('uq_device_profiles_sort_name', ['sortName'], { unique: true })
export class DeviceProfileEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(128))
  name: string;

  /** The name in lower case: what it is found, sorted and searched by. */
  @Column(column.text(256, { name: 'sort_name' }))
  sortName: string;

  @Column(column.text(1_024, { nullable: true }))
  description: string | null;

  @Column(column.json())
  attributes: Record<string, unknown>;

  /** Grows by one with every change. */
  @Column(column.integer({ default: 1 }))
  version: number;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;
}
