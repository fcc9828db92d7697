import { Column, Entity, Index } from 'typeorm';
import { column } from './columns.ts';

/** Attempts counted under one key within one window of time. */
@Entity('failed_attempts')
@Index('ix_failed_attempts_window', ['windowEndsAt'])
export class FailedAttemptsEntity {
  /** What is counted: its kind and a hash. */
  @Column(column.text(64, { primary: true }))
  subject: string;

  @Column(column.integer())
  attempts: number;

  @Column(column.time({ name: 'window_ends_at' }))
  windowEndsAt: Date;
}
