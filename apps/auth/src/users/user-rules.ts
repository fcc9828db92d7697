import { CodedError, type Role, type UserPrincipal } from '#contracts';
import type { User } from './user.entity.ts';

/** What may be changed of a user; `customerId` is that of the registry, null for none. */
export interface UserChange {
  name?: string | undefined;
  role?: Role | undefined;
  customerId?: string | null | undefined;
  disabled?: boolean | undefined;
}

type Person = Pick<User, 'role' | 'customerId' | 'disabled'>;

/** Administrators see everybody; operators see the operators and users of their customer; nobody else sees anybody. */
export function maySee(caller: UserPrincipal, user: Person): boolean {
  if (caller.role === 'admin') return true;
  return (
    caller.role === 'operator' &&
    caller.customerId !== null &&
    user.customerId === caller.customerId &&
    user.role !== 'admin'
  );
}

/** Throws `FORBIDDEN` for what only administrators may change. */
export function assertMayChange(caller: UserPrincipal, change: UserChange): void {
  if (caller.role === 'admin') return;
  if (change.customerId !== undefined) {
    throw new CodedError('FORBIDDEN', 'Only an administrator moves users between customers.');
  }
  if (change.role === 'admin') {
    throw new CodedError('FORBIDDEN', 'Only an administrator makes administrators; you may set user and operator.');
  }
}

/** Do the claims of access tokens that were issued before still hold? */
export const changesRights = (before: Person, after: Person): boolean =>
  before.role !== after.role || before.customerId !== after.customerId || before.disabled !== after.disabled;

export const isActiveAdmin = (user: Person): boolean => user.role === 'admin' && !user.disabled;
