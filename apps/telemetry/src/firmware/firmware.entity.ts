import { Column, Entity, ForeignKey, Index } from 'typeorm';
import type { FirmwareView, RolloutView } from '#contracts';
import { column } from '#sql';

/** Firmware or software: a device can have one package of each. */
export type PackageKind = FirmwareView['kind'];

export type DeviceFirmwareState = FirmwareView['state'];

@Entity('firmware_packages')
@Index('uq_firmware_packages_name', ['nameDigest'], { unique: true })
@Index('ix_firmware_packages_state', ['state', 'leaseUntil'])
@Index('ix_firmware_packages_customer', ['customerId', 'id'])
export class PackageEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(16))
  kind: PackageKind;

  @Column(column.text(255))
  title: string;

  @Column(column.text(255))
  version: string;

  @Column(column.text(255, { name: 'file_name' }))
  fileName: string;

  /** In bytes; 0 while it is still coming in. */
  @Column(column.integer({ default: 0 }))
  size: number;

  /** SHA-256 in lower-case hexadecimal; null while it is still coming in. */
  @Column(column.text(64, { nullable: true }))
  checksum: string | null;

  /** receiving: its file is coming in; ready; deleting: its file is being deleted. */
  @Column(column.text(16))
  state: 'receiving' | 'ready' | 'deleting';

  /** Of whose it is, its kind, title and version: there is one package of that name, once its file is here. */
  @Column(column.text(64, { name: 'name_digest', nullable: true }))
  nameDigest: string | null;

  /** Whose operators made it; null for one of the administrators, which all may use. */
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  @Column(column.uuid({ name: 'created_by' }))
  createdBy: string;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  /** Until when whoever receives its file is known to live. */
  @Column(column.time({ name: 'lease_until', nullable: true }))
  leaseUntil: Date | null;
}

/** A part of a package's file, {@link CHUNK_BYTES} of it but for the last one. */
@Entity('firmware_chunks')
export class PackageChunkEntity {
  @ForeignKey(() => PackageEntity, { name: 'fk_firmware_chunks_package', onDelete: 'CASCADE' })
  @Column(column.uuid({ primary: true, name: 'package_id' }))
  packageId: string;

  /** From 0, in the order of the file. */
  @Column(column.integer({ primary: true }))
  number: number;

  @Column(column.blob())
  content: Buffer;
}

/** A package on its way to a share of a profile's devices. Ids are UUIDs version 7: a later rollout replaces an earlier one. */
@Entity('firmware_rollouts')
@Index('ix_firmware_rollouts_state', ['state', 'id'])
@Index('ix_firmware_rollouts_scan', ['toScan', 'leaseUntil'])
@Index('ix_firmware_rollouts_withdraw', ['toWithdraw', 'leaseUntil'])
@Index('ix_firmware_rollouts_customer', ['customerId', 'id'])
@Index('ix_firmware_rollouts_package', ['packageId', 'state'])
export class RolloutEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.uuid({ name: 'package_id' }))
  packageId: string;

  @Column(column.text(16))
  kind: PackageKind;

  @Column(column.uuid({ name: 'profile_id' }))
  profileId: string;

  /** Only devices of this customer; null for all. */
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  @Column(column.double())
  percent: number;

  @Column(column.double({ name: 'stop_percent' }))
  stopPercent: number;

  @Column(column.integer({ name: 'stop_after' }))
  stopAfter: number;

  @Column(column.text(16))
  state: RolloutView['state'];

  @Column(column.text(1_024, { nullable: true }))
  message: string | null;

  /** The profile's devices were looked through up to this one; null at the beginning. */
  @Column(column.uuid({ name: 'scanned_to', nullable: true }))
  scannedTo: string | null;

  /** The profile's devices are to be looked through, or the rest of them. */
  @Column(column.boolean({ name: 'to_scan', default: false }))
  toScan: boolean;

  /** Devices that have not begun are to lose it. */
  @Column(column.boolean({ name: 'to_withdraw', default: false }))
  toWithdraw: boolean;

  /** Devices that were assigned another package since, by how they had ended with this one. */
  @Column(column.integer({ name: 'left_updated', default: 0 }))
  leftUpdated: number;

  @Column(column.integer({ name: 'left_failed', default: 0 }))
  leftFailed: number;

  @Column(column.integer({ name: 'left_other', default: 0 }))
  leftOther: number;

  /** The process that works on it; another one may take over once the time is over. */
  @Column(column.uuid({ name: 'lease_holder', nullable: true }))
  leaseHolder: string | null;

  @Column(column.time({ name: 'lease_until', nullable: true }))
  leaseUntil: Date | null;

  @Column(column.uuid({ name: 'created_by' }))
  createdBy: string;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'finished_at', nullable: true }))
  finishedAt: Date | null;
}

/** What a device is to have of a kind, and how far it is. */
@Entity('firmware_devices')
@Index('ix_firmware_devices_rollout', ['rolloutId', 'state', 'deviceId'])
@Index('ix_firmware_devices_package', ['packageId'])
export class DeviceFirmwareEntity {
  @Column(column.uuid({ primary: true, name: 'device_id' }))
  deviceId: string;

  @Column(column.text(16, { primary: true }))
  kind: PackageKind;

  /** Null if a person took it away: rollouts from before then do not give it another one. */
  @Column(column.uuid({ name: 'package_id', nullable: true }))
  packageId: string | null;

  /** The rollout that assigned it; null for a person. */
  @Column(column.uuid({ name: 'rollout_id', nullable: true }))
  rolloutId: string | null;

  @Column(column.text(16))
  state: DeviceFirmwareState;

  /** Bytes of the file that the device has loaded, as far as is known. */
  @Column(column.integer({ default: 0 }))
  bytes: number;

  @Column(column.text(1_024, { nullable: true }))
  error: string | null;

  @Column(column.time({ name: 'assigned_at' }))
  assignedAt: Date;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;
}
