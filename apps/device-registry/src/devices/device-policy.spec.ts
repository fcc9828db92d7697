import { describe, expect, test } from '@jest/globals';
import type {
  DeviceAction,
  DeviceKind,
  DevicePrincipal,
  DeviceShare,
  Principal,
  Role,
  UserPrincipal,
} from '#contracts';
import { allows, mayPlaceWith, startOf, visibleDevices, type PolicyDevice, type Visibility } from './device-policy.ts';

const MINE = '00000000-0000-7000-8000-000000000001';
const ACME = '00000000-0000-7000-8000-00000000000a';
const OTHER = '00000000-0000-7000-8000-00000000000b';
const GATEWAY = '00000000-0000-7000-8000-0000000000c0';
const DEVICE = '00000000-0000-7000-8000-0000000000d0';

const person = (role: Role, customerId: string | null): UserPrincipal => ({
  kind: 'user',
  userId: MINE,
  sessionId: MINE,
  role,
  customerId,
});
const deviceOf = (id: string, kind: DeviceKind): DevicePrincipal => ({
  kind: 'device',
  credentialId: MINE,
  expiresAt: null,
  device: { id, kind, name: 'it', customerId: ACME, ownerId: MINE, masterId: null, profileId: null, state: 'active' },
});

const callers: Record<string, Principal> = {
  admin: person('admin', null),
  'operator of ACME': person('operator', ACME),
  'operator of nobody': person('operator', null),
  'user of ACME': person('user', ACME),
  'the gateway': deviceOf(GATEWAY, 'gateway'),
  'a master': deviceOf(GATEWAY, 'master'),
  'the device itself': deviceOf(DEVICE, 'direct'),
  'another device': deviceOf(MINE, 'direct'),
};

const device = (rest: Partial<PolicyDevice>): PolicyDevice => ({
  id: DEVICE,
  customerId: null,
  ownerId: null,
  masterId: null,
  ...rest,
});

const ALL = 'read write manage';
const SEND = 'read write';
const table: [what: string, PolicyDevice, allowed: Record<string, string>][] = [
  ["nobody's device", device({}), { admin: ALL, 'the device itself': SEND }],
  [
    'a device of ACME',
    device({ customerId: ACME }),
    { admin: ALL, 'operator of ACME': ALL, 'the device itself': SEND },
  ],
  ['a device of another customer', device({ customerId: OTHER }), { admin: ALL, 'the device itself': SEND }],
  ['my device', device({ ownerId: MINE }), { admin: ALL, 'user of ACME': ALL, 'the device itself': SEND }],
  [
    'my device of ACME',
    device({ ownerId: MINE, customerId: ACME }),
    { admin: ALL, 'operator of ACME': ALL, 'user of ACME': ALL, 'the device itself': SEND },
  ],
  ["somebody else's device", device({ ownerId: OTHER }), { admin: ALL, 'the device itself': SEND }],
  [
    'a device behind the gateway',
    device({ masterId: GATEWAY }),
    { admin: ALL, 'the gateway': SEND, 'a master': 'read', 'the device itself': SEND },
  ],
  ['a device behind another gateway', device({ masterId: OTHER }), { admin: ALL, 'the device itself': SEND }],
];

function isListed(visible: Visibility, { ownerId, customerId }: PolicyDevice): boolean {
  if (typeof visible === 'string') return visible === 'all';
  return 'userId' in visible ? ownerId === visible.userId : customerId === visible.customerId;
}

const actions: DeviceAction[] = ['read', 'write', 'manage'];
const cases = table.flatMap(([what, subject, allowed]) =>
  Object.entries(callers).map(([who, caller]) => ({ what, subject, who, caller, allowed: allowed[who] ?? '' })),
);

describe('the device policy', () => {
  test.each(cases)('$who may [$allowed] $what', ({ subject, caller, allowed }) => {
    expect(actions.filter((action) => allows(caller, action, subject)).join(' ')).toBe(allowed);
  });

  test.each(cases.filter(({ caller }) => caller.kind === 'user'))(
    'the list of $who has $what exactly if they may read it',
    ({ caller, subject }) => {
      if (caller.kind !== 'user') return;
      expect(isListed(visibleDevices(caller), subject)).toBe(allows(caller, 'read', subject));
    },
  );

  const shared: [share: DeviceShare, allowed: string][] = [
    ['read', 'read'],
    ['write', SEND],
    ['owner', ALL],
  ];
  test.each(shared)('a user who has %s of a device may [%s] it, whosever it is otherwise', (share, allowed) => {
    for (const [, subject] of table.filter(([, { ownerId }]) => ownerId !== MINE)) {
      for (const customer of [null, ACME, OTHER]) {
        const may = actions.filter((action) => allows(person('user', customer), action, subject, share));
        expect(may.join(' ')).toBe(allowed);
      }
    }
  });

  test('a share takes nothing from an operator or administrator', () => {
    const subject = device({ customerId: ACME, ownerId: OTHER });
    for (const caller of [person('operator', ACME), person('admin', null)]) {
      expect(actions.filter((action) => allows(caller, action, subject, 'read')).join(' ')).toBe(ALL);
    }
  });

  test('a share is for people: a device that calls has none', () => {
    const caller = deviceOf(MINE, 'gateway');
    expect(actions.filter((action) => allows(caller, action, device({}), 'owner'))).toEqual([]);
  });

  test.each<[Role, string | null, string | null, boolean]>([
    ['admin', null, OTHER, true],
    ['admin', null, null, true],
    ['operator', ACME, ACME, true],
    ['operator', ACME, OTHER, false],
    ['operator', ACME, null, false],
    ['operator', null, null, false],
    ['user', ACME, ACME, true],
    ['user', ACME, null, true],
    ['user', ACME, OTHER, false],
    ['user', null, null, true],
    ['user', null, ACME, false],
  ])('%s of %s gives a device to %s: %s', (role, customer, wanted, allowed) => {
    expect(mayPlaceWith(person(role, customer), wanted)).toBe(allowed);
  });

  test('a new device begins with its maker', () => {
    expect(startOf(person('admin', ACME))).toEqual({ customerId: null, ownerId: null });
    expect(startOf(person('operator', ACME))).toEqual({ customerId: ACME, ownerId: null });
    expect(startOf(person('user', ACME))).toEqual({ customerId: ACME, ownerId: MINE });
  });
});
