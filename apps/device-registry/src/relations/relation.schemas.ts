import { z } from 'zod';
import { PageQuery, pageOf } from '#contracts';
import { text } from '#platform';
import type { RelationEntity } from './relation.entity.ts';
import { CONTAINS } from './relation-rows.ts';

const Type = text(64);

/** A relation that somebody wants. */
export const RelationDocument = z
  .strictObject({
    from: z.uuid().describe('Id of an asset'),
    to: z.uuid().describe('Id of an asset or a device'),
    type: Type.default(CONTAINS),
  })
  .meta({ id: 'RegistryNewRelation' });
export type RelationDocument = z.output<typeof RelationDocument>;

const RelationPageQuery = PageQuery.omit({ sort: true, q: true });

export const RelationQuery = RelationPageQuery.extend({
  from: z.uuid().optional(),
  to: z.uuid().optional(),
  type: Type.optional(),
});
export type RelationQuery = z.output<typeof RelationQuery>;

export const AssetRelationsQuery = RelationPageQuery.extend({
  direction: z
    .enum(['from', 'to'])
    .default('from')
    .describe('from: those that lead from the asset; to: those that lead to it'),
});
export type AssetRelationsQuery = z.output<typeof AssetRelationsQuery>;

/** A relation, with the names of its ends; times are ms since the epoch. */
export const RelationView = z
  .object({
    id: z.uuid(),
    type: z.string(),
    from: z.uuid(),
    fromName: z.string(),
    to: z.uuid(),
    toName: z.string(),
    toKind: z.enum(['asset', 'device']),
    customer: z.uuid().nullable(),
    createdAt: z.int(),
  })
  .meta({ id: 'RegistryRelation' });
export type RelationView = z.output<typeof RelationView>;

export const RelationPage = pageOf(RelationView).meta({ id: 'RegistryRelationPage' });

/** `names`: of the ends, by id. */
export const relationView = (row: RelationEntity, names: ReadonlyMap<string, string>): RelationView => ({
  id: row.id,
  type: row.type,
  from: row.fromId,
  fromName: names.get(row.fromId) ?? '',
  to: row.toId,
  toName: names.get(row.toId) ?? '',
  toKind: row.toAssetId === null ? 'device' : 'asset',
  customer: row.customerId,
  createdAt: row.createdAt.getTime(),
});
