import { z } from 'zod';
import { DeviceView } from '../device-view.ts';

export const NamedClaimRequest = z
  .object({ secretKey: z.string().max(128).nullish().describe('As the device announced it; by default none') })
  .default({})
  .meta({ id: 'ProvisioningNamedClaimRequest' });
export type NamedClaimRequest = z.output<typeof NamedClaimRequest>;

export const NamedClaimReply = z
  .object({ device: DeviceView, response: z.literal('SUCCESS') })
  .meta({ id: 'ProvisioningNamedClaimReply' });
export type NamedClaimReply = z.output<typeof NamedClaimReply>;

export const NamedClaimRefusal = z.enum(['FAILURE', 'CLAIMED']).meta({ id: 'ProvisioningNamedClaimRefusal' });
export type NamedClaimRefusal = z.output<typeof NamedClaimRefusal>;
