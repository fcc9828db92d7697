import { z } from 'zod';
import { DeviceKind, DeviceState, MacAddress, pageOf, type DeviceRef } from '#contracts';
import { text } from '#platform';
import { listQuery } from '#sql';
import { Attributes, AttributesPatch } from '../attributes.ts';
import type { DeviceEntity } from './device.entity.ts';

const MAX_LABELS = 32;

const Name = text(128);
const Serial = text(128);
const Label = text(64);
const Labels = z
  .array(Label)
  .max(MAX_LABELS)
  .transform((labels) => [...new Set(labels)]);
const CustomerReference = text(64).nullable().optional();
const ProfileReference = text(128).nullable();

/** What somebody says of a device. */
export const DeviceDocument = z
  .strictObject({
    name: Name,
    kind: DeviceKind.default('direct'),
    macAddress: MacAddress.nullable().default(null),
    serial: Serial.nullable().default(null),
    customer: CustomerReference.describe('Id or number of the customer; by default the one of whoever asks'),
    profile: ProfileReference.default(null).describe('Id or name of a device profile'),
    enabled: z.boolean().default(true).describe('false: none of its credentials is accepted'),
    master: z.uuid().nullable().default(null).describe('Id of the gateway or master that the device is behind'),
    labels: Labels.default([]),
    attributes: Attributes.default({}).describe('Any JSON object up to 16 KiB'),
  })
  .meta({ id: 'RegistryNewDevice' });
export type DeviceDocument = z.output<typeof DeviceDocument>;

/** A change of a device, as JSON merge patch (RFC 7396): null takes a value away. */
export const DevicePatch = z
  .strictObject({
    name: Name.optional(),
    kind: DeviceKind.optional(),
    macAddress: MacAddress.nullable().optional(),
    serial: Serial.nullable().optional(),
    customer: CustomerReference,
    profile: ProfileReference.optional(),
    owner: z
      .uuid()
      .nullable()
      .optional()
      .describe('Id of the user whose device it is; administrators and operators only'),
    enabled: z.boolean().optional(),
    master: z.uuid().nullable().optional(),
    labels: Labels.nullable().optional(),
    attributes: AttributesPatch.optional(),
  })
  .meta({ id: 'RegistryDevicePatch' });
export type DevicePatch = z.output<typeof DevicePatch>;

export const DeviceQuery = listQuery('createdAt', 'name')
  .extend({
    customer: z.uuid().optional(),
    owner: z.uuid().optional(),
    master: z.uuid().optional(),
    profile: z.uuid().optional(),
    state: DeviceState.optional(),
    kind: DeviceKind.optional(),
    label: Label.optional(),
    macAddress: MacAddress.optional(),
    serial: Serial.optional(),
  })
  .describe('`q`: words that each begin a word of the name or serial, or the MAC address, in any case');
export type DeviceQuery = z.output<typeof DeviceQuery>;

/** A device; times are ms since the epoch. */
export const DeviceView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    kind: DeviceKind,
    macAddress: z.string().nullable(),
    serial: z.string().nullable(),
    customer: z.uuid().nullable(),
    profile: z.uuid().nullable(),
    state: DeviceState,
    activatedAt: z.int().nullable(),
    enabled: z.boolean(),
    owner: z.uuid().nullable(),
    master: z.uuid().nullable(),
    labels: z.array(z.string()),
    attributes: z.record(z.string(), z.unknown()),
    createdAt: z.int(),
    updatedAt: z.int(),
    version: z.int(),
  })
  .meta({ id: 'RegistryDevice' });
export type DeviceView = z.output<typeof DeviceView>;

export const DevicePage = pageOf(DeviceView).meta({ id: 'RegistryDevicePage' });

export const deviceView = (row: DeviceEntity): DeviceView => ({
  id: row.id,
  name: row.name,
  kind: row.kind,
  macAddress: row.macAddress,
  serial: row.serial,
  customer: row.customerId,
  profile: row.profileId,
  state: row.state,
  activatedAt: row.activatedAt?.getTime() ?? null,
  enabled: row.enabled,
  owner: row.ownerId,
  master: row.masterId,
  labels: row.labels,
  attributes: row.attributes,
  createdAt: row.createdAt.getTime(),
  updatedAt: row.updatedAt.getTime(),
  version: row.version,
});

/** What other services need to know of a device. */
export const deviceRef = (row: DeviceEntity): DeviceRef => ({
  id: row.id,
  name: row.name,
  kind: row.kind,
  customerId: row.customerId,
  ownerId: row.ownerId,
  masterId: row.masterId,
  state: row.state,
  profileId: row.profileId,
});
