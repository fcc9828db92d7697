import { z } from 'zod';
import { pageOf } from '#contracts';
import { text } from '#platform';
import { listQuery } from '#sql';
import type { ProvisioningKeyEntity } from './provisioning-key.entity.ts';

const MAX_USES = 10_000_000;

/** ms since the epoch, or ISO 8601 with an offset; parsed into ms. */
const Instant = z.union([
  z.int().min(0).max(8_640_000_000_000_000),
  z.iso.datetime({ offset: true }).transform((at) => Date.parse(at)),
]);

export const NewProvisioningKey = z
  .strictObject({
    name: text(128),
    customer: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('Id or number of the customer that its devices are to belong to; for operators their own'),
    expiresAt: Instant.optional().describe('ms since the epoch, or ISO 8601; by default it does not expire'),
    maxUses: z.int().min(1).max(MAX_USES).optional().describe('Most devices; by default any number'),
  })
  .meta({ id: 'ProvisioningNewKey' });
export type NewProvisioningKey = z.output<typeof NewProvisioningKey>;

/** A key without its secret; times are ms since the epoch. */
export const ProvisioningKeyView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    customer: z.uuid().nullable(),
    expiresAt: z.int().nullable(),
    maxUses: z.int().nullable(),
    uses: z.int().describe('Devices that it has let in'),
    createdAt: z.int(),
    createdBy: z.uuid(),
  })
  .meta({ id: 'ProvisioningKey' });
export type ProvisioningKeyView = z.output<typeof ProvisioningKeyView>;

/** A new key: the only time that it is shown. */
export const IssuedProvisioningKey = ProvisioningKeyView.extend({ key: z.string() }).meta({
  id: 'ProvisioningIssuedKey',
});
export type IssuedProvisioningKey = z.output<typeof IssuedProvisioningKey>;

export const ProvisioningKeyQuery = listQuery('createdAt', 'name')
  .extend({ customer: z.uuid().optional() })
  .describe('`q`: how the name begins, in any case');
export type ProvisioningKeyQuery = z.output<typeof ProvisioningKeyQuery>;

export const ProvisioningKeyPage = pageOf(ProvisioningKeyView).meta({ id: 'ProvisioningKeyPage' });

export const keyView = (row: ProvisioningKeyEntity): ProvisioningKeyView => ({
  id: row.id,
  name: row.name,
  customer: row.customerId,
  expiresAt: row.expiresAt?.getTime() ?? null,
  maxUses: row.maxUses,
  uses: row.uses,
  createdAt: row.createdAt.getTime(),
  createdBy: row.createdBy,
});
