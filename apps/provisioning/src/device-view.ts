import { z } from 'zod';
import { DeviceKind, DeviceState, type DeviceRef } from '#contracts';

/** A device as the ways in show it. */
export const DeviceView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    kind: DeviceKind,
    state: DeviceState,
    customer: z.uuid().nullable(),
    owner: z.uuid().nullable(),
    master: z.uuid().nullable(),
  })
  .meta({ id: 'ProvisioningDevice' });
export type DeviceView = z.output<typeof DeviceView>;

export const deviceView = ({ id, name, kind, state, customerId, ownerId, masterId }: DeviceRef): DeviceView => ({
  id,
  name,
  kind,
  state,
  customer: customerId,
  owner: ownerId,
  master: masterId,
});
