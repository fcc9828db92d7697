import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { column } from '#sql';

/** A secret with which devices provision themselves; the secret itself is not kept. */
@Entity('provisioning_keys')
@Index('uq_provisioning_keys_secret_hash', ['secretHash'], { unique: true })
@Index('ix_provisioning_keys_customer', ['customerId', 'id'])
@Index('ix_provisioning_keys_sort_name', ['sortName', 'id'])
export class ProvisioningKeyEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(128))
  name: string;

  /** The name in lower case: what lists are sorted and searched by. */
  @Column(column.text(256, { name: 'sort_name' }))
  sortName: string;

  /** SHA-256, hexadecimal. */
  @Column(column.text(64, { name: 'secret_hash' }))
  secretHash: string;

  /** The customer that its devices belong to; null for devices without one. */
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  /** The user who made it. */
  @Column(column.uuid({ name: 'created_by' }))
  createdBy: string;

  /** Most devices; null for any number. */
  @Column(column.integer({ name: 'max_uses', nullable: true }))
  maxUses: number | null;

  /** How many devices it has let in, or is about to: changed together with its uses, while its row is held. */
  @Column(column.integer({ default: 0 }))
  uses: number;

  @Column(column.time({ name: 'expires_at', nullable: true }))
  expiresAt: Date | null;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;
}

/** One device that a key has let in, or is about to: it counts once, however often it asks. */
@Entity('provisioning_key_uses')
export class KeyUseEntity {
  @ForeignKey(() => ProvisioningKeyEntity, { name: 'fk_provisioning_key_uses_key', onDelete: 'CASCADE' })
  @Column(column.uuid({ primary: true, name: 'key_id' }))
  keyId: string;

  /** SHA-256 of the device's serial number, or of the name that it gives itself, hexadecimal. */
  @Column(column.text(64, { primary: true, name: 'device_hash' }))
  deviceHash: string;

  /** It was let in: the use is not given back any more. */
  @Column(column.boolean({ default: false }))
  confirmed: boolean;

  /** How many of its requests are under way. */
  @Column(column.integer())
  pending: number;

  /** When the newest of them came. */
  @Column(column.time({ name: 'asked_at' }))
  askedAt: Date;
}
