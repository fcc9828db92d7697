import { describe, expect, test } from '@jest/globals';
import type { Role, UserPrincipal } from '#contracts';
import { assertMayChange, maySee } from './user-rules.ts';

const caller = (role: Role, customerId: string | null): UserPrincipal => ({
  kind: 'user',
  userId: 'caller',
  sessionId: 'session',
  role,
  customerId,
});

describe('who sees whom', () => {
  test.each<[Role, string | null, Role, string | null, boolean]>([
    ['admin', null, 'admin', 'ours', true],
    ['admin', null, 'user', null, true],
    ['operator', 'ours', 'user', 'ours', true],
    ['operator', 'ours', 'operator', 'ours', true],
    ['operator', 'ours', 'admin', 'ours', false],
    ['operator', 'ours', 'user', 'theirs', false],
    ['operator', 'ours', 'user', null, false],
    ['operator', null, 'user', null, false],
    ['user', 'ours', 'user', 'ours', false],
  ])('%s of %s sees %s of %s: %s', (role, own, otherRole, other, sees) => {
    expect(maySee(caller(role, own), { role: otherRole, customerId: other, disabled: false })).toBe(sees);
  });
});

test('an operator changes name, disabled and role up to operator', () => {
  const operator = caller('operator', 'ours');
  for (const change of [{ name: 'x' }, { disabled: true }, { role: 'operator' as const }, { role: 'user' as const }]) {
    expect(() => {
      assertMayChange(operator, change);
    }).not.toThrow();
  }
  for (const change of [{ role: 'admin' as const }, { customerId: null }, { customerId: 'ours' }]) {
    expect(() => {
      assertMayChange(operator, change);
    }).toThrow('Only an administrator');
  }
});
