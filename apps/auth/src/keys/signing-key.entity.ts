import { Column, Entity, Index } from 'typeorm';
import { column } from '#sql';

/** A key pair that signs access tokens. */
@Entity('signing_keys')
@Index('uq_signing_keys_generation', ['generation'], { unique: true })
export class SigningKey {
  /** The `kid` of its tokens. */
  @Column(column.uuid({ primary: true }))
  id: string;

  /** Its place in the order of keys, from 1: of several replicas that make the next key at once, one succeeds. */
  @Column(column.integer())
  generation: number;

  /** PKCS#8 (DER), encrypted; see key-vault.ts. */
  @Column(column.text(1024, { name: 'private_key' }))
  privateKey: string;

  /** When it begins to sign; it is published from the moment it is stored. */
  @Column(column.time({ name: 'signs_from' }))
  signsFrom: Date;
}
