import { Column, Entity, ForeignKey, Index } from 'typeorm';
import type { DeviceShare } from '#contracts';
import { column } from '#sql';
import { DeviceEntity } from '../devices/device.entity.ts';

/** A user who sees a device: its owner (the one that the device names too), or somebody it is shared with. */
@Entity('device_people')
@Index('ix_device_people_user', ['userId', 'deviceId'])
export class DevicePersonEntity {
  @ForeignKey(() => DeviceEntity, { name: 'fk_device_people_device', onDelete: 'CASCADE' })
  @Column(column.uuid({ primary: true, name: 'device_id' }))
  deviceId: string;

  @Column(column.uuid({ primary: true, name: 'user_id' }))
  userId: string;

  @Column(column.text(8))
  access: DeviceShare;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;
}
