import { Column, Entity, ForeignKey, Index } from 'typeorm';
import type { DeviceKind, DeviceState } from '#contracts';
import { column } from '#sql';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { DeviceProfileEntity } from '../profiles/device-profile.entity.ts';

/** A JSON object that somebody keeps with a device. */
export type DeviceAttributes = Record<string, unknown>;

/** A device. Ids are UUIDs version 7, but for devices that bring one of their own. */
@Entity('devices')
@Index('uq_devices_scope_mac', ['customerScope', 'macAddress'], { unique: true })
@Index('uq_devices_provisioned_mac', ['provisionedMac'], { unique: true })
@Index('uq_devices_default_of', ['defaultOf'], { unique: true })
@Index('uq_devices_identity_key', ['identityKey'], { unique: true })
@Index('uq_devices_master_name', ['masterId', 'name'], { unique: true })
@Index('ix_devices_sort_name', ['sortName', 'id'])
@Index('ix_devices_created', ['createdAt', 'id'])
@Index('ix_devices_customer', ['customerId', 'createdAt', 'id'])
@Index('ix_devices_customer_name', ['customerId', 'sortName', 'id'])
@Index('ix_devices_owner', ['ownerId', 'createdAt', 'id'])
@Index('ix_devices_owner_name', ['ownerId', 'sortName', 'id'])
@Index('ix_devices_master', ['masterId', 'createdAt', 'id'])
@Index('ix_devices_mac', ['macAddress', 'createdAt', 'id'])
@Index('ix_devices_serial', ['serial', 'createdAt', 'id'])
@Index('ix_devices_profile', ['profileId', 'createdAt', 'id'])
@Index('ix_devices_profile_id', ['profileId', 'id'])
@Index('ix_devices_kind', ['kind', 'createdAt', 'id'])
@Index('ix_devices_state', ['state', 'createdAt', 'id'])
@Index('ix_devices_customer_kind', ['customerId', 'kind', 'createdAt', 'id'])
@Index('ix_devices_customer_state', ['customerId', 'state', 'createdAt', 'id'])
@Index('ix_devices_customer_profile', ['customerId', 'profileId', 'createdAt', 'id'])
export class DeviceEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(128))
  name: string;

  /** The name in lower case: what lists are sorted by. */
  @Column(column.text(256, { name: 'sort_name' }))
  sortName: string;

  @Column(column.text(16))
  kind: DeviceKind;

  @ForeignKey(() => CustomerEntity, { name: 'fk_devices_customer', onDelete: 'RESTRICT' })
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  /**
   * The customer's id, or nothing for a device without one. In a unique index two nulls are different, so that the rule of one
   * device for each customer and MAC address would not hold where there is no customer; two empty texts are equal.
   */
  @Column(column.text(36, { name: 'customer_scope', default: '' }))
  customerScope: string;

  /** Canonical: upper-case octets with colons. */
  @Column(column.text(64, { name: 'mac_address', nullable: true }))
  macAddress: string | null;

  @Column(column.text(128, { nullable: true }))
  serial: string | null;

  /** The user whose device it is. */
  @Column(column.uuid({ name: 'owner_id', nullable: true }))
  ownerId: string | null;

  /** The gateway or master that it is behind. */
  @ForeignKey(() => DeviceEntity, { name: 'fk_devices_master', onDelete: 'RESTRICT' })
  @Column(column.uuid({ name: 'master_id', nullable: true }))
  masterId: string | null;

  /** The user whose default gateway it is. */
  @Column(column.uuid({ name: 'default_of', nullable: true }))
  defaultOf: string | null;

  /** The MAC address with which the device provisioned itself: it is found by it again, whatever customer it has by then. */
  @Column(column.text(64, { name: 'provisioned_mac', nullable: true }))
  provisionedMac: string | null;

  @ForeignKey(() => DeviceProfileEntity, { name: 'fk_devices_profile', onDelete: 'RESTRICT' })
  @Column(column.uuid({ name: 'profile_id', nullable: true }))
  profileId: string | null;

  @Column(column.text(16, { default: 'created' }))
  state: DeviceState;

  /** When it became active. */
  @Column(column.time({ name: 'activated_at', nullable: true }))
  activatedAt: Date | null;

  /** False: none of its credentials is accepted. */
  @Column(column.boolean({ default: true }))
  enabled: boolean;

  /** By what an import or its own provisioning finds a device without a MAC address again, see identity.ts. */
  @Column(column.text(64, { name: 'identity_key', nullable: true }))
  identityKey: string | null;

  /** The import that made it: so that a part of an import that is done again counts as it did the first time. */
  @Column(column.uuid({ name: 'imported_by', nullable: true }))
  importedBy: string | null;

  /** The provisioning key by which it made itself known, see self-provisioning. */
  @Column(column.uuid({ name: 'provisioning_key', nullable: true }))
  provisioningKey: string | null;

  /** Which of the tokens that can be derived for the device is the present one. */
  @Column(column.integer({ name: 'token_generation', default: 1 }))
  tokenGeneration: number;

  @Column(column.json())
  labels: string[];

  @Column(column.json())
  attributes: DeviceAttributes;

  /** Grows by one with every change. */
  @Column(column.integer({ default: 1 }))
  version: number;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;
}

/** One label of a device, for finding devices by label. */
@Entity('device_labels', { withoutRowid: true })
@Index('ix_device_labels_label', ['label', 'deviceId'])
export class DeviceLabelEntity {
  @ForeignKey(() => DeviceEntity, { name: 'fk_device_labels_device', onDelete: 'CASCADE' })
  @Column(column.uuid({ primary: true, name: 'device_id' }))
  deviceId: string;

  @Column(column.text(64, { primary: true }))
  label: string;
}

/** One word that a device is found by, see search-terms.ts. */
@Entity('device_terms', { withoutRowid: true })
@Index('ix_device_terms_term', ['term', 'deviceId'])
export class DeviceTermEntity {
  @ForeignKey(() => DeviceEntity, { name: 'fk_device_terms_device', onDelete: 'CASCADE' })
  @Column(column.uuid({ primary: true, name: 'device_id' }))
  deviceId: string;

  @Column(column.text(256, { primary: true }))
  term: string;
}
