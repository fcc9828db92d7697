import { Column, Entity, Index } from 'typeorm';
import { column } from '#sql';

/**
 * A login. It outlives its user where that is deleted, until its last access token has expired, since other services ask
 * which logins have ended: so there is no foreign key.
 */
@Entity('sessions')
@Index('ix_sessions_user', ['userId', 'refreshedAt'])
@Index('ix_sessions_access_until', ['accessUntil'])
@Index('ix_sessions_expires', ['expiresAt'])
export class Session {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.uuid({ name: 'user_id' }))
  userId: string;

  /** The network it was opened from: an IPv4 address or an IPv6 /64. */
  @Column(column.text(45))
  network: string;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  /** When its newest access token was issued. */
  @Column(column.time({ name: 'refreshed_at' }))
  refreshedAt: Date;

  /** When its newest access token expires. */
  @Column(column.time({ name: 'access_until' }))
  accessUntil: Date;

  /** When its newest refresh token expires. */
  @Column(column.time({ name: 'expires_at' }))
  expiresAt: Date;

  @Column(column.time({ name: 'ended_at', nullable: true }))
  endedAt: Date | null;
}
