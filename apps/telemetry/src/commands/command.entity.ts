import { Column, Entity, Index, type ValueTransformer } from 'typeorm';
import type { CommandStatus } from '#contracts';
import { column } from '#sql';

/** Any JSON value within an object: a column of JSON reads texts as JSON once more on MySQL. */
export const boxed: ValueTransformer = {
  to: (value: unknown) => (value === null || value === undefined ? null : { value }),
  from: (box: { value: unknown } | null) => box?.value ?? null,
};

/** A command. Ids are UUIDs version 7, in the order of creation. */
@Entity('commands')
@Index('uq_commands_number', ['deviceId', 'number'], { unique: true })
@Index('uq_commands_idempotency_key', ['deviceId', 'idempotencyKey'], { unique: true })
@Index('ix_commands_device_status', ['deviceId', 'status', 'number'])
@Index('ix_commands_overdue', ['status', 'expiresAt'])
export class CommandEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.uuid({ name: 'device_id' }))
  deviceId: string;

  /** Counts the commands of one device, from 1. */
  @Column(column.integer())
  number: number;

  @Column(column.text(255))
  method: string;

  @Column(column.json({ nullable: true, transformer: boxed }))
  params: unknown;

  @Column(column.text(16))
  status: CommandStatus;

  @Column(column.boolean())
  persist: boolean;

  /** What its sender calls it, so that sending it again makes no second one. */
  @Column(column.text(128, { name: 'idempotency_key', nullable: true }))
  idempotencyKey: string | null;

  /** SHA-256 of what was asked for under the key, in hexadecimal digits. */
  @Column(column.text(64, { name: 'request_hash', nullable: true }))
  requestHash: string | null;

  @Column(column.json({ nullable: true, transformer: boxed }))
  result: unknown;

  @Column(column.text(1_024, { nullable: true }))
  error: string | null;

  @Column(column.uuid({ name: 'created_by' }))
  createdBy: string;

  /** The replica that waits for its end; null if nobody does. */
  @Column(column.uuid({ nullable: true }))
  asker: string | null;

  /** The link that it was last sent over. */
  @Column(column.uuid({ name: 'link_id', nullable: true }))
  linkId: string | null;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'expires_at' }))
  expiresAt: Date;

  @Column(column.time({ name: 'sent_at', nullable: true }))
  sentAt: Date | null;

  @Column(column.time({ name: 'delivered_at', nullable: true }))
  deliveredAt: Date | null;

  @Column(column.time({ name: 'finished_at', nullable: true }))
  finishedAt: Date | null;
}

/** The number of a device's last command. */
@Entity('command_counters')
export class CommandCounterEntity {
  @Column(column.uuid({ name: 'device_id', primary: true }))
  deviceId: string;

  @Column(column.integer({ name: 'last_number' }))
  lastNumber: number;
}
