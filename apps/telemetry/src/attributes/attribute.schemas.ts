import { z } from 'zod';
import { ATTRIBUTE_LIMITS } from './attribute-limits.ts';

const Scope = z.enum(['client', 'shared', 'server']);
const Values = z.record(z.string(), z.unknown());

export const AttributesQuery = z.strictObject({
  scope: Scope.optional().describe('Only the attributes of this scope'),
  keys: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.string()).max(ATTRIBUTE_LIMITS.keys))
    .optional()
    .describe('Only the attributes with these keys, separated by commas'),
});
export type AttributesQuery = z.output<typeof AttributesQuery>;

export const AttributesReply = z
  .object({
    client: Values.describe('What the device says of itself'),
    shared: Values.describe('What people write and the device is told'),
    server: Values.describe('What people write for themselves: never told to the device'),
  })
  .meta({ id: 'TelemetryAttributes' });
export type AttributesReply = z.output<typeof AttributesReply>;

export const AttributesPatchBody = z
  .strictObject({
    shared: Values.optional(),
    server: Values.optional(),
  })
  .meta({
    id: 'TelemetryAttributesPatch',
    description: 'A JSON merge patch (RFC 7396): objects are merged, null deletes, anything else replaces',
  });
export type AttributesPatchBody = z.output<typeof AttributesPatchBody>;

export const AttributeVersionsReply = z
  .object({
    version: z.number().int().describe('Counts the writes to the device’s attributes'),
    deliveredVersion: z.number().int().describe('The newest write of shared attributes that the device has'),
    items: z.array(
      z
        .object({
          scope: Scope,
          key: z.string(),
          version: z.number().int().describe('The write that it is of'),
          updatedAt: z.number().int().describe('ms since the epoch'),
          updatedBy: z.uuid().nullable().describe('The person who wrote it; null for the device or the platform'),
        })
        .meta({ id: 'TelemetryAttributeVersion' }),
    ),
  })
  .meta({ id: 'TelemetryAttributeVersions' });
export type AttributeVersionsReply = z.output<typeof AttributeVersionsReply>;
