import { Column, Entity, Index } from 'typeorm';
import type { Role } from '#contracts';
import { column } from '#sql';

/** A person who can log in. */
@Entity('users')
@Index('uq_users_email', ['email'], { unique: true })
@Index('ix_users_role', ['role', 'disabled'])
@Index('ix_users_customer', ['customerId', 'id'])
@Index('ix_users_name', ['name', 'id'])
export class User {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(200))
  name: string;

  /** Trimmed and in lower case. */
  @Column(column.text(254))
  email: string;

  /** Name and email in lower case, for the search of lists: the same on every database. */
  @Column(column.text(700, { name: 'search_text' }))
  searchText: string;

  /** Argon2id, in PHC string format. */
  @Column(column.text(255, { name: 'password_hash' }))
  passwordHash: string;

  @Column(column.time({ name: 'password_changed_at' }))
  passwordChangedAt: Date;

  @Column(column.text(16))
  role: Role;

  /** The customer of the registry they belong to. */
  @Column(column.uuid({ name: 'customer_id', nullable: true }))
  customerId: string | null;

  @Column(column.boolean({ default: false }))
  disabled: boolean;

  /** Access tokens issued before are refused: their claims no longer hold. */
  @Column(column.time({ name: 'tokens_valid_after' }))
  tokensValidAfter: Date;

  /** Grows with every change; the entity tag of replies. */
  @Column(column.integer({ default: 1 }))
  version: number;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;
}

export const searchTextOf = (user: Pick<User, 'name' | 'email'>): string => `${user.name} ${user.email}`.toLowerCase();
