import { z } from 'zod';
import { MacAddress } from '#contracts';

/** As the document of the two steps has them; other fields are left alone. */
export const RegisterRequest = z
  .object({
    customer_id: z.string().min(1).max(64).describe("The customer's number"),
    mac_address: MacAddress.describe('In any usual notation'),
  })
  .meta({ id: 'TwoStepRegisterRequest' });
export type RegisterRequest = z.output<typeof RegisterRequest>;

export const ActivateRequest = RegisterRequest.extend({ password: z.string().min(1).max(512) }).meta({
  id: 'TwoStepActivateRequest',
});
export type ActivateRequest = z.output<typeof ActivateRequest>;

export const RegisterReply = z.object({ password: z.string() }).meta({ id: 'TwoStepRegisterReply' });
export type RegisterReply = z.output<typeof RegisterReply>;

/** Why not. */
export const Reason = z.object({ error: z.string() }).meta({ id: 'TwoStepReason' });
