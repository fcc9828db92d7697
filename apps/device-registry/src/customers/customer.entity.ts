import { Column, Entity, Index } from 'typeorm';
import { column } from '#sql';

/** Somebody who has devices and users. */
@Entity('customers')
@Index('uq_customers_number', ['number'], { unique: true })
@Index('ix_customers_sort_name', ['sortName', 'id'])
export class CustomerEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  /** The name that the outside world has for the customer, 1-64 characters. */
  @Column(column.text(64))
  number: string;

  @Column(column.text(128))
  name: string;

  /** The name in lower case: what lists are sorted and searched by. */
  @Column(column.text(256, { name: 'sort_name' }))
  sortName: string;

  /** Most devices; null for any number. */
  @Column(column.integer({ name: 'device_limit', nullable: true }))
  deviceLimit: number | null;

  /** How many devices there are: changed in the transaction that adds or takes one. */
  @Column(column.integer({ name: 'device_count', default: 0 }))
  deviceCount: number;

  /** Grows by one with every change that somebody makes. */
  @Column(column.integer({ default: 1 }))
  version: number;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;
}
