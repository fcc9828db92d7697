import type { DataSource, SelectQueryBuilder } from 'typeorm';
import { CodedError, type UserPrincipal } from '#contracts';
import { narrowTo } from '../narrowing.ts';
import { narrowToNamesFrom } from '../prefix.ts';
import { CONTAINS } from '../relations/relation-rows.ts';
import { AssetEntity } from './asset.entity.ts';
import type { AssetQuery } from './asset.schemas.ts';

type Filters = Partial<Pick<AssetQuery, 'customer' | 'profile' | 'parent' | 'q'>>;

/** May this person see what belongs to that customer? Assets and relations are for administrators and for operators of their own. */
export const seesCustomer = ({ role, customerId }: UserPrincipal, wanted: string | null): boolean =>
  role === 'admin' || (role === 'operator' && customerId !== null && customerId === wanted);

/** The asset, if the caller may see it; `NOT_FOUND` in the same words whether or not there is such an asset. */
export function requireSeen(caller: UserPrincipal, id: string, row: AssetEntity | null): AssetEntity {
  if (row && seesCustomer(caller, row.customerId)) return row;
  throw new CodedError('NOT_FOUND', `There is no asset ${id} among those you may see.`);
}

/** The assets that somebody sees, narrowed by filters; every value is a parameter. */
export function assetQuery(
  dataSource: DataSource,
  caller: UserPrincipal,
  { customer, profile, parent, q }: Filters,
): SelectQueryBuilder<AssetEntity> {
  const query = dataSource.getRepository(AssetEntity).createQueryBuilder('asset');
  const asked = parent !== undefined;
  const own = caller.role === 'admin' ? undefined : (caller.customerId ?? '');
  narrowTo(query, 'customerId', own, { asked, as: 'own' });
  narrowTo(query, 'customerId', customer, { asked });
  narrowTo(query, 'profileId', profile, { asked });
  if (parent !== undefined) {
    query.andWhere(
      'asset.id IN (SELECT r.to_asset_id FROM relations r WHERE r.from_id = :parent AND r.type = :contains)',
      { parent, contains: CONTAINS },
    );
  }
  narrowToNamesFrom(query, q);
  return query;
}

/** Only those that nothing contains. */
export const narrowToRoots = (query: SelectQueryBuilder<AssetEntity>): SelectQueryBuilder<AssetEntity> =>
  query.andWhere('NOT EXISTS (SELECT 1 FROM relations r WHERE r.to_id = asset.id AND r.type = :contains)', {
    contains: CONTAINS,
  });
