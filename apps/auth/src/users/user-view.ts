import { z } from 'zod';
import { Role } from '#contracts';
import type { User } from './user.entity.ts';

/** A user as replies show them; times in ms since the epoch. */
export const UserView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    email: z.string(),
    role: Role,
    customerId: z.uuid().nullable(),
    disabled: z.boolean(),
    version: z.number().int(),
    createdAt: z.number().int(),
    updatedAt: z.number().int(),
  })
  .meta({ id: 'AuthUser' });
export type UserView = z.output<typeof UserView>;

export const viewOf = (user: User): UserView => ({
  id: user.id,
  name: user.name,
  email: user.email,
  role: user.role,
  customerId: user.customerId,
  disabled: user.disabled,
  version: user.version,
  createdAt: user.createdAt.getTime(),
  updatedAt: user.updatedAt.getTime(),
});
