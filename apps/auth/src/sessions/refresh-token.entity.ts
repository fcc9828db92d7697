import { Column, Entity, Index, JoinColumn, ManyToOne, type Relation } from 'typeorm';
import { column } from '#sql';
import { Session } from './session.entity.ts';

/** One link of a login's chain of refresh tokens: each is used once and gives the next one. */
@Entity('refresh_tokens')
@Index('uq_refresh_tokens_hash', ['hash'], { unique: true })
@Index('uq_refresh_tokens_generation', ['sessionId', 'generation'], { unique: true })
@Index('ix_refresh_tokens_expires', ['expiresAt'])
export class RefreshToken {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.uuid({ name: 'session_id' }))
  sessionId: string;

  @ManyToOne(() => Session, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'session_id', foreignKeyConstraintName: 'fk_refresh_tokens_session' })
  session?: Relation<Session>;

  /** Its place in the chain, from 1. */
  @Column(column.integer())
  generation: number;

  /** SHA-256 of the token, base64url. */
  @Column(column.text(64))
  hash: string;

  @Column(column.time({ name: 'expires_at' }))
  expiresAt: Date;

  @Column(column.time({ name: 'used_at', nullable: true }))
  usedAt: Date | null;
}
