import { Column } from 'typeorm';
import { column } from '#sql';

/** What both kinds of profiles have. */
export abstract class ProfileEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(128))
  name: string;

  /** The name in lower case: what it is found, sorted and searched by. */
  @Column(column.text(256, { name: 'sort_name' }))
  sortName: string;

  @Column(column.text(1_024, { nullable: true }))
  description: string | null;

  @Column(column.json())
  attributes: Record<string, unknown>;

  /** Of device profiles only, where it is a column. */
  declare inactivitySeconds?: number | null;

  /** Grows by one with every change. */
  @Column(column.integer({ default: 1 }))
  version: number;

  @Column(column.time({ name: 'created_at' }))
  createdAt: Date;

  @Column(column.time({ name: 'updated_at' }))
  updatedAt: Date;
}
