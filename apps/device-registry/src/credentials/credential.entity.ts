import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { column } from '#sql';
import { DeviceEntity } from '../devices/device.entity.ts';

export const CREDENTIAL_KINDS = ['access-token', 'password', 'device-jwt', 'mqtt-basic', 'certificate'] as const;
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];

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
  kind: CredentialKind;

  /**
   * What it is found by, SHA-256, hexadecimal: of the token, of user name and password, of the id that device JWTs name, of the client id
   * and the user name of MQTT, or of a certificate in DER.
   */
  @Column(column.text(64, { name: 'secret_hash' }))
  secretHash: string;

  /** Of a password, or of MQTT: 1-256 characters. */
  @Column(column.text(256, { name: 'user_name', nullable: true }))
  userName: string | null;

  /** Of MQTT: 1-256 characters; null where any is let in. */
  @Column(column.text(256, { name: 'client_id', nullable: true }))
  clientId: string | null;

  /** Of the password of MQTT, which somebody chose: argon2id as a PHC string; null where none is asked for. */
  @Column(column.text(128, { name: 'password_hash', nullable: true }))
  passwordHash: string | null;

  /** Given out and not yet confirmed: it does not work until it is. */
  @Column(column.boolean({ default: false }))
  pending: boolean;

  /** Of a derived token, see derived-token.ts; null for a random one. */
  @Column(column.integer({ nullable: true }))
  generation: number | null;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'expires_at', nullable: true }))
  expiresAt: Date | null;
}
