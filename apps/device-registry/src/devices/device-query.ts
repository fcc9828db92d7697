import type { DataSource, SelectQueryBuilder } from 'typeorm';
import { narrowTo } from '../narrowing.ts';
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
  const asked = customerBy === 'asking';
  narrowToVisible(query, visibility, asked);
  narrowTo(query, 'customerId', filters.customer, { asked });
  narrowTo(query, 'ownerId', filters.owner);
  narrowTo(query, 'masterId', filters.master);
  narrowTo(query, 'macAddress', filters.macAddress);
  narrowTo(query, 'serial', filters.serial);
  return query;
}

/** Does it narrow the list to so few devices, however many there are, that they are found and sorted? */
export const narrowsToFew = (visibility: Visibility, { owner, master, macAddress, serial }: Filters): boolean =>
  (typeof visibility === 'object' && 'userId' in visibility) ||
  [owner, master, macAddress, serial].some((value) => value !== undefined);

function narrowToVisible(query: SelectQueryBuilder<DeviceEntity>, visibility: Visibility, asked: boolean): void {
  if (visibility === 'all') return;
  if (visibility === 'none') query.andWhere('1 = 0');
  else if ('userId' in visibility) {
    query.andWhere('device.id IN (SELECT p.device_id FROM device_people p WHERE p.user_id = :visibleTo)', {
      visibleTo: visibility.userId,
    });
  } else narrowTo(query, 'customerId', visibility.customerId, { asked, as: 'visibleCustomer' });
}
