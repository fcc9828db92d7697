import { Column, Entity, Index } from 'typeorm';
import type { AttributesChange } from '#contracts';
import { column } from '#sql';

/** Who writes an attribute and who sees it: see {@link AttributeEntity.scope}. */
export type AttributeScope = AttributesChange['scope'];

/** What holds the attributes of one device together; whoever writes any of them holds this row. */
@Entity('twins')
export class TwinEntity {
  @Column(column.uuid({ primary: true, name: 'device_id' }))
  deviceId: string;

  /** Counts the writes. */
  @Column(column.integer({ default: 0 }))
  version: number;

  /** The newest write of shared attributes that the device has. */
  @Column(column.integer({ name: 'delivered_version', default: 0 }))
  deliveredVersion: number;

  /** Attributes of all scopes, with deleted ones that the device does not know of yet. */
  @Column(column.integer({ name: 'keys_count', default: 0 }))
  keys: number;

  /** Bytes of UTF-8 of their keys and values. */
  @Column(column.integer({ default: 0 }))
  bytes: number;
}

@Entity('attributes')
@Index('ix_attributes_version', ['deviceId', 'scope', 'version'])
export class AttributeEntity {
  @Column(column.uuid({ primary: true, name: 'device_id' }))
  deviceId: string;

  /** client: the device writes, people see it; shared: people write, the device is told; server: people's own, never the device's. */
  @Column(column.text(8, { primary: true }))
  scope: AttributeScope;

  @Column(column.text(255, { primary: true, name: 'attribute_key' }))
  key: string;

  /** Any JSON but null, which stands for a shared attribute that is deleted and of which the device does not know yet. */
  @Column(column.document({ nullable: true }))
  value: NonNullable<unknown> | null;

  /** The write of the twin that it is of. */
  @Column(column.integer())
  version: number;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;

  /** The person who wrote it; null for the device, or the platform for it. */
  @Column(column.uuid({ name: 'updated_by', nullable: true }))
  updatedBy: string | null;
}
