import { Column, Entity, ForeignKey, Index } from 'typeorm';
import type { JobView, Role } from '#contracts';
import { column } from '#sql';
import type { UploadedRow } from './upload/uploaded-row.ts';

/** An import. Ids are UUIDs version 7, in the order of the uploads. */
@Entity('import_jobs')
@Index('ix_import_jobs_state', ['state', 'leaseUntil', 'id'])
@Index('ix_import_jobs_user', ['userId', 'id'])
@Index('ix_import_jobs_customer', ['customerId', 'id'])
@Index('ix_import_jobs_finished', ['finishedAt', 'id'])
export class JobEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  /** Who started it, with the rights that they had then. */
  @Column(column.uuid({ name: 'user_id' }))
  userId: string;

  @Column(column.uuid({ name: 'session_id' }))
  sessionId: string;

  @Column(column.text(16))
  role: Role;

  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  @Column(column.text(16))
  state: JobView['state'];

  /** Rows of the file; null while it is still coming in. */
  @Column(column.integer({ nullable: true }))
  total: number | null;

  @Column(column.integer({ default: 0 }))
  processed: number;

  @Column(column.integer({ default: 0 }))
  created: number;

  @Column(column.integer({ default: 0 }))
  unchanged: number;

  @Column(column.integer({ default: 0 }))
  failed: number;

  /** Why the whole of it failed. */
  @Column(column.text(1_024, { nullable: true }))
  message: string | null;

  /** The process that is receiving it or working on it; another one may take over once the time is over. */
  @Column(column.uuid({ name: 'lease_holder', nullable: true }))
  leaseHolder: string | null;

  @Column(column.time({ name: 'lease_until', nullable: true }))
  leaseUntil: Date | null;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'finished_at', nullable: true }))
  finishedAt: Date | null;
}

/** A part of a file that is not done yet: as many rows as the registry does in one transaction. */
@Entity('job_chunks')
export class JobChunkEntity {
  @ForeignKey(() => JobEntity, { name: 'fk_job_chunks_job', onDelete: 'CASCADE' })
  @Column(column.uuid({ primary: true, name: 'job_id' }))
  jobId: string;

  /** From 0, in the order of the file. */
  @Column(column.integer({ primary: true }))
  number: number;

  @Column(column.json({ name: 'content' }))
  rows: UploadedRow[];
}

/** A row of a file that failed. */
@Entity('job_errors')
export class JobErrorEntity {
  @ForeignKey(() => JobEntity, { name: 'fk_job_errors_job', onDelete: 'CASCADE' })
  @Column(column.uuid({ primary: true, name: 'job_id' }))
  jobId: string;

  @Column(column.integer({ primary: true }))
  line: number;

  @Column(column.text(64))
  code: string;

  @Column(column.text(64, { nullable: true }))
  field: string | null;

  @Column(column.text(1_024))
  message: string;
}
