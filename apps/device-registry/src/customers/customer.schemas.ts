import { z } from 'zod';
import { pageOf } from '#contracts';
import { text } from '#platform';
import { listQuery } from '#sql';
import type { CustomerEntity } from './customer.entity.ts';

/** MySQL's largest integer. */
const MAX_LIMIT = 2_147_483_647;

const CustomerNumber = text(64).describe('The name that the outside world has for the customer; unique');
const Name = text(128);
const DeviceLimit = z.int().min(0).max(MAX_LIMIT).describe('Most devices; null for any number');

/** What somebody says of a customer. */
export const CustomerDocument = z
  .strictObject({ number: CustomerNumber, name: Name, deviceLimit: DeviceLimit.nullable().default(null) })
  .meta({ id: 'RegistryNewCustomer' });
export type CustomerDocument = z.output<typeof CustomerDocument>;

/** A change of a customer, as JSON merge patch (RFC 7396). */
export const CustomerPatch = z
  .strictObject({
    number: CustomerNumber.optional(),
    name: Name.optional(),
    deviceLimit: DeviceLimit.nullable().optional(),
  })
  .meta({ id: 'RegistryCustomerPatch' });
export type CustomerPatch = z.output<typeof CustomerPatch>;

export const CustomerQuery = listQuery('createdAt', 'number', 'name');
export type CustomerQuery = z.output<typeof CustomerQuery>;

/** A customer; times are ms since the epoch. */
export const CustomerView = z
  .object({
    id: z.uuid(),
    number: z.string(),
    name: z.string(),
    deviceLimit: z.int().nullable(),
    deviceCount: z.int(),
    createdAt: z.int(),
    updatedAt: z.int(),
    version: z.int(),
  })
  .meta({ id: 'RegistryCustomer' });
export type CustomerView = z.output<typeof CustomerView>;

export const CustomerPage = pageOf(CustomerView).meta({ id: 'RegistryCustomerPage' });

export const customerView = (row: CustomerEntity): CustomerView => ({
  id: row.id,
  number: row.number,
  name: row.name,
  deviceLimit: row.deviceLimit,
  deviceCount: row.deviceCount,
  createdAt: row.createdAt.getTime(),
  updatedAt: row.updatedAt.getTime(),
  version: row.version,
});
