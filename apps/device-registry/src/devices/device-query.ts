import type { DataSource, SelectQueryBuilder } from 'typeorm';
import { DeviceEntity } from './device.entity.ts';
import type { Visibility } from './device-policy.ts';
import type { DeviceQuery } from './device.schemas.ts';

/** Filters that a list is narrowed by at once; the others are what is searched for in it (device-search.ts). */
type Filters = Partial<Pick<DeviceQuery, 'customer' | 'owner' | 'master' | 'macAddress' | 'serial'>>;

/**
 * Whether the devices of a customer are found by an index, or others are found first and then asked whether they are of the customer. A
 * planner that does not know that few devices have a serial number, or a word, would rather go through all of the customer.
 */
export type CustomerBy = 'index' | 'asking';

/** The devices that somebody sees, narrowed by filters; every value is a parameter. */
export function deviceQuery(
  dataSource: DataSource,
  visibility: Visibility,
  filters: Filters,
  customerBy: CustomerBy = 'index',
): SelectQueryBuilder<DeviceEntity> {
  const query = dataSource.getRepository(DeviceEntity).createQueryBuilder('device');
  const customer = customerBy === 'index' ? 'device.customerId' : "COALESCE(device.customerId, '')";
  narrowToVisible(query, visibility, customer);
  if (filters.customer !== undefined) query.andWhere(`${customer} = :customer`, { customer: filters.customer });
  const { owner: ownerId, master: masterId, macAddress, serial } = filters;
  for (const [property, value] of Object.entries({ ownerId, masterId, macAddress, serial })) {
    if (value !== undefined) query.andWhere(`device.${property} = :${property}`, { [property]: value });
  }
  return query;
}

/** Does it narrow the list to so few devices, however many there are, that they are found and sorted? */
export const narrowsToFew = (visibility: Visibility, { master, macAddress, serial }: Filters): boolean =>
  (typeof visibility === 'object' && 'userId' in visibility) ||
  [master, macAddress, serial].some((value) => value !== undefined);

function narrowToVisible(query: SelectQueryBuilder<DeviceEntity>, visibility: Visibility, customer: string): void {
  if (visibility === 'all') return;
  if (visibility === 'none') query.andWhere('1 = 0');
  else if ('userId' in visibility) {
    query.andWhere('device.id IN (SELECT p.device_id FROM device_people p WHERE p.user_id = :visibleTo)', {
      visibleTo: visibility.userId,
    });
  } else query.andWhere(`${customer} = :visibleCustomer`, { visibleCustomer: visibility.customerId });
}
