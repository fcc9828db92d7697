import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository, SelectQueryBuilder } from 'typeorm';
import { z } from 'zod';
import { CodedError, PageQuery, Role, type Page, type UserPrincipal } from '#contracts';
import { CustomerDirectory } from './customer-directory.ts';
import { User } from './user.entity.ts';
import { viewOf, type UserView } from './user-view.ts';

/** Sort orders of the list; ids are in the order of creation. */
const SORT_COLUMNS = { createdAt: 'id', name: 'name', email: 'email' } as const;

/** Longest cursor, in characters: that of a name of 200 characters outside ASCII. */
const CURSOR_CHARS = 2_048;

export const UserListQuery = PageQuery.extend({
  cursor: z.string().max(CURSOR_CHARS).optional(),
  sort: z.enum(['createdAt', '-createdAt', 'name', '-name', 'email', '-email']).default('createdAt'),
  role: Role.optional(),
  /** Id or number of a customer. */
  customer: z.string().min(1).max(64).optional(),
  disabled: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
});
export type UserListQuery = z.output<typeof UserListQuery>;

/** Where a page begins: after the user with this value of the sorted column and this id. */
const Cursor = z.strictObject({ sort: z.string(), after: z.tuple([z.string(), z.uuid()]) });

interface Order {
  column: 'id' | 'name' | 'email';
  descending: boolean;
}

/** Lists of users, page by page. */
@Injectable()
export class UserList {
  constructor(
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @Inject(CustomerDirectory) private readonly customers: CustomerDirectory,
  ) {}

  /** Throws `INVALID_INPUT` for a cursor that is not from a page of the same sort. */
  async page(caller: UserPrincipal, query: UserListQuery): Promise<Page<UserView>> {
    const order = orderOf(query.sort);
    const rows = this.selection(caller, query, await this.customerIdOf(query));
    if (query.cursor !== undefined) goOnAfter(rows, order, decodeCursor(query.cursor, query.sort));
    const direction = order.descending ? 'DESC' : 'ASC';
    const found = await rows
      .orderBy(`user.${order.column}`, direction)
      .addOrderBy('user.id', direction)
      .limit(query.limit + 1)
      .getMany();
    const items = found.slice(0, query.limit);
    const last = found.length > query.limit ? items.at(-1) : undefined;
    return { items: items.map(viewOf), nextCursor: last ? encodeCursor(query.sort, order, last) : null };
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

function orderOf(sort: UserListQuery['sort']): Order {
  const descending = sort.startsWith('-');
  const field = (descending ? sort.slice(1) : sort) as keyof typeof SORT_COLUMNS;
  return { column: SORT_COLUMNS[field], descending };
}

/** Written so that both databases begin at the position in the index. */
function goOnAfter(rows: SelectQueryBuilder<User>, { column, descending }: Order, [value, id]: [string, string]): void {
  const beyond = descending ? '<' : '>';
  rows.andWhere(`user.${column} ${beyond}= :value and (user.${column} ${beyond} :value or user.id ${beyond} :id)`, {
    value,
    id,
  });
}

/** A LIKE pattern for text that contains `q` literally. */
const containing = (q: string): string => `%${q.toLowerCase().replace(/[!%_]/g, '!$&')}%`;

const encodeCursor = (sort: string, { column }: Order, user: User): string =>
  Buffer.from(JSON.stringify({ sort, after: [user[column], user.id] })).toString('base64url');

function decodeCursor(text: string, sort: string): [string, string] {
  const cursor = Cursor.safeParse(jsonOf(Buffer.from(text, 'base64url').toString()));
  if (cursor.success && cursor.data.sort === sort) return cursor.data.after;
  const message = 'must be the nextCursor of a page with the same sort';
  throw new CodedError('INVALID_INPUT', `/cursor: ${message}`, { errors: [{ path: '/cursor', message }] });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
