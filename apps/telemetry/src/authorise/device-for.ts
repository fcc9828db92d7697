import { CodedError, type DeviceAction, type DeviceRef, type UserPrincipal } from '#contracts';
import { isRefusal, type DeviceAccess } from './device-access.ts';

/** What a person who may only see a device is told that they may not do. */
const NOT_ALLOWED = {
  read: 'see it',
  write: 'send to it or write its attributes: that takes its owner, or a share with write access',
  manage: 'manage it: that takes its owner, or an operator',
} as const satisfies Record<DeviceAction, string>;

/**
 * The device, for a person who wants to do this to it. Throws `NOT_FOUND` for one that they do not see, `FORBIDDEN` for one that they see
 * but may not do this to.
 */
export async function deviceFor(
  access: Pick<DeviceAccess, 'authorise'>,
  caller: UserPrincipal,
  device: string,
  action: DeviceAction,
): Promise<DeviceRef> {
  try {
    return await access.authorise(caller, device, action);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (action === 'read') {
      throw new CodedError('NOT_FOUND', 'There is no such device among yours.', { cause: error });
    }
    await deviceFor(access, caller, device, 'read');
    throw new CodedError('FORBIDDEN', `You may see this device, but not ${NOT_ALLOWED[action]}.`, { cause: error });
  }
}
