import type { Role } from '#contracts';
import { uuid7 } from '#platform';
import { searchTextOf, type User } from './user.entity.ts';

/** A row for somebody new. */
export function newUser(person: { name: string; email: string; passwordHash: string; role: Role }, now: number): User {
  const at = new Date(now);
  return {
    ...person,
    id: uuid7(),
    searchText: searchTextOf(person),
    passwordChangedAt: at,
    customerId: null,
    disabled: false,
    tokensValidAfter: at,
    version: 1,
    createdAt: at,
    updatedAt: at,
  };
}
