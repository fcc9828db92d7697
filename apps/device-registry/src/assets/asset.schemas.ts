import { z } from 'zod';
import { DeviceKind, DeviceState, Latitude, Longitude, pageOf } from '#contracts';
import { text } from '#platform';
import { listQuery } from '#sql';
import { Attributes, AttributesPatch } from '../attributes.ts';
import { MAX_LEVELS } from '../relations/relation-rows.ts';
import type { AssetEntity } from './asset.entity.ts';

const Name = text(128);
const CustomerReference = text(64).nullable().optional();
const ProfileReference = text(128).describe('Id or name of an asset profile');
const Degrees = { latitude: Latitude.nullable(), longitude: Longitude.nullable() };

/** What somebody says of an asset; it has both coordinates (degrees, WGS 84) or neither. */
export const AssetDocument = z
  .strictObject({
    name: Name,
    profile: ProfileReference,
    customer: CustomerReference.describe('Id or number of the customer; by default the one of whoever asks'),
    latitude: Degrees.latitude.default(null),
    longitude: Degrees.longitude.default(null),
    attributes: Attributes.default({}).describe('Any JSON object up to 16 KiB'),
  })
  .superRefine(({ latitude, longitude }, context) => {
    if ((latitude === null) === (longitude === null)) return;
    const [there, missing] = latitude === null ? ['longitude', 'latitude'] : ['latitude', 'longitude'];
    context.addIssue({ code: 'custom', path: [missing], message: `is needed with the ${there}, or neither` });
  })
  .meta({ id: 'RegistryNewAsset' });
export type AssetDocument = z.output<typeof AssetDocument>;

/** A change of an asset, as JSON merge patch (RFC 7396). */
export const AssetPatch = z
  .strictObject({
    name: Name.optional(),
    profile: ProfileReference.optional(),
    customer: CustomerReference,
    latitude: Degrees.latitude.optional(),
    longitude: Degrees.longitude.optional(),
    attributes: AttributesPatch.optional(),
  })
  .meta({ id: 'RegistryAssetPatch' });
export type AssetPatch = z.output<typeof AssetPatch>;

export const AssetQuery = listQuery('createdAt', 'name').extend({
  customer: z.uuid().optional(),
  profile: z.uuid().optional(),
  parent: z.uuid().optional().describe('Id of the asset that contains them directly'),
});
export type AssetQuery = z.output<typeof AssetQuery>;

/** An asset; times are ms since the epoch, coordinates degrees (WGS 84). */
export const AssetView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    profile: z.uuid(),
    customer: z.uuid().nullable(),
    latitude: z.number().nullable(),
    longitude: z.number().nullable(),
    attributes: z.record(z.string(), z.unknown()),
    createdAt: z.int(),
    updatedAt: z.int(),
    version: z.int(),
  })
  .meta({ id: 'RegistryAsset' });
export type AssetView = z.output<typeof AssetView>;

export const AssetPage = pageOf(AssetView).meta({ id: 'RegistryAssetPage' });

const yesOrNo = z.enum(['true', 'false']).transform((word) => word === 'true');

export const AssetTreeQuery = z.strictObject({
  root: z.uuid().optional().describe('Id of the topmost asset; without it, every asset that nothing contains'),
  depth: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_LEVELS)
    .default(MAX_LEVELS)
    .describe('How many levels below the topmost'),
  devices: yesOrNo.default(false).describe('true: with the devices that each asset contains'),
  customer: z.uuid().optional(),
});
export type AssetTreeQuery = z.output<typeof AssetTreeQuery>;

/** A device in the tree. */
export const AssetTreeDevice = z
  .object({ id: z.uuid(), name: z.string(), kind: DeviceKind, state: DeviceState })
  .meta({ id: 'RegistryAssetTreeDevice' });
export type AssetTreeDevice = z.output<typeof AssetTreeDevice>;

/** An asset in the tree, with what it contains. */
export const AssetNode = z
  .object({
    id: z.uuid(),
    name: z.string(),
    profile: z.string().describe('Name of the profile'),
    latitude: z.number().nullable(),
    longitude: z.number().nullable(),
    deviceCount: z.int().describe('How many devices it contains directly'),
    devices: z.array(AssetTreeDevice).optional(),
    get children() {
      return z.array(AssetNode);
    },
  })
  .meta({ id: 'RegistryAssetNode' });
export type AssetNode = z.output<typeof AssetNode>;

export const AssetTree = z
  .object({ items: z.array(AssetNode), truncated: z.boolean().describe('There is more than is shown') })
  .meta({ id: 'RegistryAssetTree' });
export type AssetTree = z.output<typeof AssetTree>;

export const assetView = (row: AssetEntity): AssetView => ({
  id: row.id,
  name: row.name,
  profile: row.profileId,
  customer: row.customerId,
  latitude: row.latitude,
  longitude: row.longitude,
  attributes: row.attributes,
  createdAt: row.createdAt.getTime(),
  updatedAt: row.updatedAt.getTime(),
  version: row.version,
});
