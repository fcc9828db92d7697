import { Column, Entity, Index } from 'typeorm';
import { column } from '#sql';

/** A device that waits to be claimed; the keys themselves are not kept. */
@Entity('pair_tickets')
@Index('uq_pair_tickets_pair_key_hash', ['pairKeyHash'], { unique: true })
@Index('ix_pair_tickets_expires_at', ['expiresAt'])
export class PairTicketEntity {
  @Column(column.uuid({ primary: true, name: 'device_id' }))
  deviceId: string;

  /** SHA-256, hexadecimal. */
  @Column(column.text(64, { name: 'pair_key_hash' }))
  pairKeyHash: string;

  @Column(column.text(64, { name: 'owner_key_hash' }))
  ownerKeyHash: string;

  /** The user who claimed the device by it: it is spent, and kept only to say so to whoever asks again. */
  @Column(column.uuid({ name: 'claimed_by', nullable: true }))
  claimedBy: string | null;

  @Column(column.time({ name: 'expires_at' }))
  expiresAt: Date;
}
