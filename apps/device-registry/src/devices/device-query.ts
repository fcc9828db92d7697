import type { DataSource, SelectQueryBuilder } from 'typeorm';
import { DeviceEntity } from './device.entity.ts';
import type { Visibility } from './device-policy.ts';
import type { DeviceQuery } from './device.schemas.ts';

/** Filters that a list is narrowed by at once; the others are what is searched for in it (device-search.ts). */
type Filters = Partial<Pick<DeviceQuery, 'customer' | 'owner' | 'master' | 'macAddress' | 'serial'>>;

/** The devices that somebody sees, narrowed by filters; every value is a parameter. */
export function deviceQuery(
  dataSource: DataSource,
  visibility: Visibility,
  filters: Filters,
): SelectQueryBuilder<DeviceEntity> {
  const query = dataSource.getRepository(DeviceEntity).createQueryBuilder('device');
  narrowToVisible(query, visibility);
  narrowToColumns(query, filters);
  return query;
}

function narrowToVisible(query: SelectQueryBuilder<DeviceEntity>, visibility: Visibility): void {
  if (visibility === 'all') return;
  if (visibility === 'none') query.andWhere('1 = 0');
  else if ('userId' in visibility) {
    query.andWhere('device.id IN (SELECT p.device_id FROM device_people p WHERE p.user_id = :visibleTo)', {
      visibleTo: visibility.userId,
    });
  } else query.andWhere('device.customerId = :visibleCustomer', { visibleCustomer: visibility.customerId });
}

function narrowToColumns(query: SelectQueryBuilder<DeviceEntity>, filters: Filters): void {
  const wanted = {
    customerId: filters.customer,
    ownerId: filters.owner,
    masterId: filters.master,
    macAddress: filters.macAddress,
    serial: filters.serial,
  };
  for (const [property, value] of Object.entries(wanted)) {
    if (value !== undefined) query.andWhere(`device.${property} = :${property}`, { [property]: value });
  }
}
