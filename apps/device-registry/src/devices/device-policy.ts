import type { DeviceAction, DeviceKind, DeviceRef, DeviceShare, Principal, UserPrincipal } from '#contracts';

/** What the policy needs to know of a device. */
export type PolicyDevice = Pick<DeviceRef, 'id' | 'customerId' | 'ownerId' | 'masterId'>;

/** What a device that is calling may do for itself. */
const OWN_ACTIONS: readonly DeviceAction[] = ['read', 'write'];

/** What it may do for the devices behind it: a gateway sends for them, a master knows them. */
const BEHIND_ACTIONS: Partial<Record<DeviceKind, readonly DeviceAction[]>> = {
  gateway: ['read', 'write'],
  master: ['read'],
};

/** What somebody may do with a device that is theirs, or was shared with them. */
const SHARE_ACTIONS: Record<DeviceShare, readonly DeviceAction[]> = {
  owner: ['read', 'write', 'manage'],
  write: ['read', 'write'],
  read: ['read'],
};

/**
 * May this caller do this to that device? The one place where that is decided. `share` is what the caller has of the device, if
 * they are a person and have anything of it.
 */
export function allows(
  principal: Principal,
  action: DeviceAction,
  device: PolicyDevice,
  share: DeviceShare | null = null,
): boolean {
  if (principal.kind === 'user') {
    return isWithin(visibleDevices(principal), device) || (share !== null && SHARE_ACTIONS[share].includes(action));
  }
  const { device: caller } = principal;
  if (device.id === caller.id) return OWN_ACTIONS.includes(action);
  return device.masterId === caller.id && BEHIND_ACTIONS[caller.kind]?.includes(action) === true;
}

/** Which devices somebody sees: what lists are narrowed to. */
export type Visibility = 'all' | 'none' | { customerId: string } | { userId: string };

/** admin: all; operator: those of their customer; user: those that they own or that are shared with them. */
export function visibleDevices({ role, customerId, userId }: UserPrincipal): Visibility {
  if (role === 'admin') return 'all';
  if (role === 'user') return { userId };
  return customerId === null ? 'none' : { customerId };
}

function isWithin(visibility: Visibility, device: PolicyDevice): boolean {
  if (typeof visibility === 'string') return visibility === 'all';
  return 'userId' in visibility ? device.ownerId === visibility.userId : device.customerId === visibility.customerId;
}

/** May this person give a device to that customer, or with null to none? */
export function mayPlaceWith({ role, customerId }: UserPrincipal, wanted: string | null): boolean {
  if (role === 'admin') return true;
  if (role === 'operator') return wanted !== null && wanted === customerId;
  return wanted === null || wanted === customerId;
}

/** What a device gets from the person who makes it, where they do not say. */
export const startOf = ({ role, customerId, userId }: UserPrincipal) => ({
  customerId: role === 'admin' ? null : customerId,
  ownerId: role === 'user' ? userId : null,
});
