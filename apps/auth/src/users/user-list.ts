import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository, SelectQueryBuilder } from 'typeorm';
import { z } from 'zod';
import { Role, type Page, type UserPrincipal } from '#contracts';
import { keysetPage, listQuery, orderOf } from '#sql';
import { CustomerDirectory } from './customer-directory.ts';
import { User } from './user.entity.ts';
import { viewOf, type UserView } from './user-view.ts';

/** Sort orders of the list; ids are in the order of creation. */
const SORT_PROPERTIES = { createdAt: 'id', name: 'name', email: 'email' } as const;

export const UserListQuery = listQuery('createdAt', 'name', 'email').extend({
  role: Role.optional(),
  /** Id or number of a customer. */
  customer: z.string().min(1).max(64).optional(),
  disabled: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
});
export type UserListQuery = z.output<typeof UserListQuery>;

/** Lists of users, page by page. */
@Injectable()
export class UserList {
  constructor(
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @Inject(CustomerDirectory) private readonly customers: CustomerDirectory,
  ) {}

  /** Throws `INVALID_INPUT` for a cursor that is not from a page of the same sort. */
  async page(caller: UserPrincipal, query: UserListQuery): Promise<Page<UserView>> {
    const rows = this.selection(caller, query, await this.customerIdOf(query));
    const { items, nextCursor } = await keysetPage(rows, orderOf<User>(query.sort, SORT_PROPERTIES), query);
    return { items: items.map(viewOf), nextCursor };
  }

  /** Undefined: any customer. Null: there is no such customer. */
  private async customerIdOf({ customer }: UserListQuery): Promise<string | null | undefined> {
    return customer === undefined ? undefined : ((await this.customers.find(customer))?.id ?? null);
  }

  private selection(
    caller: UserPrincipal,
    { role, disabled, q }: UserListQuery,
    customerId: string | null | undefined,
  ): SelectQueryBuilder<User> {
    const rows = this.users.createQueryBuilder('user').where('1 = 1');
    if (caller.role !== 'admin') {
      rows.andWhere("user.customerId = :own and user.role <> 'admin'", { own: caller.customerId ?? '' });
    }
    if (customerId !== undefined) rows.andWhere('user.customerId = :customerId', { customerId: customerId ?? '' });
    if (role !== undefined) rows.andWhere('user.role = :role', { role });
    if (disabled !== undefined) rows.andWhere('user.disabled = :disabled', { disabled });
    if (q !== undefined) rows.andWhere("user.searchText like :pattern escape '!'", { pattern: containing(q) });
    return rows;
  }
}

/** A LIKE pattern for text that contains `q` literally. */
const containing = (q: string): string => `%${q.toLowerCase().replace(/[!%_]/g, '!$&')}%`;
