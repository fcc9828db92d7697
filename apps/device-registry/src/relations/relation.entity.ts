import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { column } from '#sql';
import { AssetEntity } from '../assets/asset.entity.ts';
import { DeviceEntity } from '../devices/device.entity.ts';

/** An asset has something to do with another asset or a device: `Contains`, or any other type. */
@Entity('relations')
@Index('uq_relations_from_type_to', ['fromId', 'type', 'toId'], { unique: true })
@Index('ix_relations_to', ['toId', 'type'])
@Index('ix_relations_to_asset', ['toAssetId'])
@Index('ix_relations_to_device', ['toDeviceId'])
@Index('ix_relations_from_device', ['fromId', 'type', 'toDeviceId'])
@Index('ix_relations_from', ['fromId', 'id'])
@Index('ix_relations_customer', ['customerId', 'id'])
@Index('ix_relations_customer_type', ['customerId', 'type', 'id'])
@Index('ix_relations_type', ['type', 'id'])
export class RelationEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  /** An asset that still has relations to others cannot be deleted. */
  @ForeignKey(() => AssetEntity, { name: 'fk_relations_from', onDelete: 'RESTRICT' })
  @Column(column.uuid({ name: 'from_id' }))
  fromId: string;

  @Column(column.text(64))
  type: string;

  /** The one of the two below that is not null. */
  @Column(column.uuid({ name: 'to_id' }))
  toId: string;

  @ForeignKey(() => AssetEntity, { name: 'fk_relations_to_asset', onDelete: 'CASCADE' })
  @Column(column.uuid({ name: 'to_asset_id', nullable: true }))
  toAssetId: string | null;

  @ForeignKey(() => DeviceEntity, { name: 'fk_relations_to_device', onDelete: 'CASCADE' })
  @Column(column.uuid({ name: 'to_device_id', nullable: true }))
  toDeviceId: string | null;

  /** The customer of both ends: whose operators may see it. Neither end changes its customer while it is related. */
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;
}

/**
 * A type of relations between assets. Its row is held while one is added, so that of two that would close a circle only together, the
 * second sees the first.
 */
@Entity('relation_types')
export class RelationTypeEntity {
  @Column(column.text(64, { primary: true }))
  type: string;
}
