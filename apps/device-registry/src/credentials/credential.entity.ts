import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { column } from '#sql';
import { DeviceEntity } from '../devices/device.entity.ts';

/** A secret with which a device says who it is; the secret itself is not kept. */
@Entity('credentials')
@Index('uq_credentials_secret_hash', ['secretHash'], { unique: true })
@Index('uq_credentials_device_generation', ['deviceId', 'generation'], { unique: true })
@Index('ix_credentials_expires_at', ['expiresAt'])
export class CredentialEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @ForeignKey(() => DeviceEntity, { name: 'fk_credentials_device', onDelete: 'CASCADE' })
  @Column(column.uuid({ name: 'device_id' }))
  deviceId: string;

  @Column(column.text(32))
  kind: 'access-token';

  /** SHA-256 of the token, hexadecimal. */
  @Column(column.text(64, { name: 'secret_hash' }))
  secretHash: string;

  /** Of a derived token, see derived-token.ts; null for a random one. */
  @Column(column.integer({ nullable: true }))
  generation: number | null;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'expires_at', nullable: true }))
  expiresAt: Date | null;
}
