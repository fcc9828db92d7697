import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { column } from '#sql';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { AssetProfileEntity } from '../profiles/asset-profile.entity.ts';

/** Something that devices are in or at: a country, a building, a machine. */
@Entity('assets')
@Index('uq_assets_identity_key', ['identityKey'], { unique: true })
@Index('ix_assets_sort_name', ['sortName', 'id'])
@Index('ix_assets_customer', ['customerId', 'id'])
@Index('ix_assets_customer_name', ['customerId', 'sortName', 'id'])
@Index('ix_assets_profile', ['profileId', 'sortName', 'id'])
@Index('ix_assets_profile_created', ['profileId', 'id'])
@Index('ix_assets_customer_profile', ['customerId', 'profileId', 'sortName', 'id'])
export class AssetEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(128))
  name: string;

  /** The name in lower case: what lists are sorted and searched by. */
  @Column(column.text(256, { name: 'sort_name' }))
  sortName: string;

  @ForeignKey(() => AssetProfileEntity, { name: 'fk_assets_profile', onDelete: 'RESTRICT' })
  @Column(column.uuid({ name: 'profile_id' }))
  profileId: string;

  @ForeignKey(() => CustomerEntity, { name: 'fk_assets_customer', onDelete: 'RESTRICT' })
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  /** Degrees, WGS 84; null together with the longitude. */
  @Column(column.double({ nullable: true }))
  latitude: number | null;

  @Column(column.double({ nullable: true }))
  longitude: number | null;

  @Column(column.json())
  attributes: Record<string, unknown>;

  /** By what a device's own provisioning finds it again, see identity.ts; null if none has asked for it. */
  @Column(column.text(64, { name: 'identity_key', nullable: true }))
  identityKey: string | null;

  /** Grows by one with every change. */
  @Column(column.integer({ default: 1 }))
  version: number;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;
}
