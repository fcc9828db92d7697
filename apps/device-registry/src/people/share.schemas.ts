import { z } from 'zod';
import { DeviceShare } from '#contracts';
import type { DevicePersonEntity } from './device-person.entity.ts';

/** Somebody to share a device with: named by id or by email address. */
export const ShareDocument = z
  .strictObject({
    user: z.uuid().optional().describe('Id of the user'),
    email: z.email().max(254).optional().describe('Email address of the user, in any case'),
    access: DeviceShare.exclude(['owner']).describe('read: see it and its readings; write: also send readings for it'),
  })
  .superRefine(({ user, email }, context) => {
    if ((user === undefined) !== (email === undefined)) return;
    context.addIssue({ code: 'custom', path: ['user'], message: 'is needed, or email in its place, and not both' });
  })
  .meta({ id: 'RegistryNewShare' });
export type ShareDocument = z.output<typeof ShareDocument>;

/** Somebody who has something of a device; times are ms since the epoch. */
export const ShareView = z
  .object({ user: z.uuid(), access: DeviceShare, createdAt: z.int() })
  .meta({ id: 'RegistryShare' });
export type ShareView = z.output<typeof ShareView>;

export const ShareList = z.object({ items: z.array(ShareView) }).meta({ id: 'RegistryShareList' });
export type ShareList = z.output<typeof ShareList>;

export const shareView = ({ userId, access, createdAt }: DevicePersonEntity): ShareView => ({
  user: userId,
  access,
  createdAt: createdAt.getTime(),
});
