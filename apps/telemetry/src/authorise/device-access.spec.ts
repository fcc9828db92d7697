import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { DeviceRef, EventPayload, UserPrincipal } from '#contracts';
import type { Events, RpcClient } from '#messaging';
import { DeviceAccess } from './device-access.ts';

type Changed = EventPayload<'registry.device.changed'>;

const id = randomUUID();
const PRINCIPAL: UserPrincipal = { kind: 'user', userId: id, sessionId: id, role: 'admin', customerId: null };
const DEVICE: DeviceRef = {
  id,
  name: 'd',
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId: null,
  state: 'active',
};

let tell: (changed: Changed) => void;
let asked: number;
let access: DeviceAccess;
const authorise = () => access.authorise(PRINCIPAL, id, 'read');

beforeEach(() => {
  asked = 0;
  const events = { on: (_: string, hear: typeof tell) => (tell = hear) };
  const rpc = {
    call: () => {
      asked += 1;
      return Promise.resolve(DEVICE);
    },
  };
  access = new DeviceAccess(rpc as unknown as RpcClient, events as unknown as Events);
});

describe('the answer of whether a device may be used', () => {
  it.each(['updated', 'deleted'] as const)('is asked for again once the device is %s', async (change) => {
    await authorise();
    tell({ change, device: DEVICE });
    await authorise();
    expect(asked).toBe(2);
  });

  it('is believed while other devices are made, also if they are made while it is on its way', async () => {
    const first = authorise();
    tell({ change: 'created', device: { ...DEVICE, id: randomUUID() } });
    await first;
    await authorise();
    expect(asked).toBe(1);
  });
});
