import { Column, Entity, Index } from 'typeorm';
import type { Actor } from '#contracts';
import { column } from '#sql';

/** What sort of thing was changed. */
export type AuditSubject =
  'customer' | 'device' | 'device-profile' | 'asset' | 'asset-profile' | 'relation' | 'credential';

/** What a field was before and is now. */
export type AuditChanges = Record<string, { from: unknown; to: unknown }>;

/** Who changed what, and when; it outlives what it names. Ids are UUIDs version 7, in the order of the changes. */
@Entity('audit_entries')
@Index('ix_audit_entries_customer', ['customerId', 'id'])
@Index('ix_audit_entries_subject', ['subjectId', 'id'])
@Index('ix_audit_entries_actor', ['actorId', 'id'])
@Index('ix_audit_entries_action', ['action', 'id'])
@Index('ix_audit_entries_customer_action', ['customerId', 'action', 'id'])
@Index('ix_audit_entries_customer_actor', ['customerId', 'actorId', 'id'])
export class AuditEntryEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.time())
  at: Date;

  @Column(column.text(16, { name: 'actor_kind' }))
  actorKind: Actor['kind'];

  @Column(column.text(64, { name: 'actor_id', nullable: true }))
  actorId: string | null;

  /** Such as `device.updated`. */
  @Column(column.text(64))
  action: string;

  @Column(column.text(32, { name: 'subject_kind' }))
  subjectKind: AuditSubject;

  @Column(column.uuid({ name: 'subject_id' }))
  subjectId: string;

  /** Its name at the time. */
  @Column(column.text(256, { name: 'subject_name', nullable: true }))
  subjectName: string | null;

  /** The customer that it belonged to: whose operators may read of it. */
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  @Column(column.json({ nullable: true }))
  changes: AuditChanges | null;
}
