import { z } from 'zod';
import { Latitude, Longitude, MacAddress, ZeroTouchAsset } from '#contracts';
import { text } from '#platform';
import { DeviceView } from '../device-view.ts';

/** Largest system information, in bytes of UTF-8 as serialised, and how deep it may be nested. */
const MAX_SYSTEM_BYTES = 15_360;
const MAX_SYSTEM_DEPTH = 24;

const Name = text(128);

const Location = z
  .strictObject({
    country: Name,
    state: Name,
    latitude: Latitude.optional().describe('Degrees, WGS 84; with the longitude'),
    longitude: Longitude.optional(),
  })
  .superRefine(({ latitude, longitude }, context) => {
    if ((latitude === undefined) === (longitude === undefined)) return;
    const missing = latitude === undefined ? 'latitude' : 'longitude';
    context.addIssue({ code: 'custom', path: [missing], message: 'is needed beside the other one' });
  });

const System = z.record(z.string(), z.unknown()).superRefine((system, context) => {
  const problem = systemProblem(system);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

function systemProblem(system: Record<string, unknown>): string | undefined {
  if (isDeeper(system, MAX_SYSTEM_DEPTH)) return `must be nested at most ${String(MAX_SYSTEM_DEPTH)} levels deep`;
  const bytes = Buffer.byteLength(JSON.stringify(system));
  return bytes > MAX_SYSTEM_BYTES
    ? `must have at most ${String(MAX_SYSTEM_BYTES)} bytes as JSON, this has ${String(bytes)}`
    : undefined;
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1)));

/** A device that asks for its place. */
export const ProvisionRequest = z
  .strictObject({
    name: Name,
    serial: Name,
    macAddress: MacAddress.optional(),
    deviceProfile: Name.describe('Name of a device profile, in any case'),
    countryProfile: Name.default('Country').describe('Name of the asset profile of countries'),
    stateProfile: Name.default('State').describe('Name of the asset profile of states'),
    location: Location.optional().describe(
      'By default it is looked up by the address that the request comes from, else it is `fallbackLocation`, else the configured one',
    ),
    fallbackLocation: Location.optional().describe('Where it is taken to be when its address says nothing'),
    system: System.optional().describe('What the device says of itself: kept as its attribute `system`'),
    customer: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('Id or number of a customer; by default none for administrators, for operators and keys their own'),
  })
  .meta({ id: 'ProvisioningZeroTouchRequest' });
export type ProvisionRequest = z.output<typeof ProvisionRequest>;

export const ProvisionReply = z
  .object({
    device: DeviceView,
    created: z.boolean(),
    assets: z.array(ZeroTouchAsset).describe('The country and the state; none without a location'),
    accessToken: z.string().describe('The same one every time, until it is revoked'),
    location: z
      .object({
        country: z.string(),
        state: z.string(),
        latitude: z.number().nullable(),
        longitude: z.number().nullable(),
        source: z.enum(['request', 'ip', 'config']),
      })
      .nullable(),
    warnings: z.array(z.object({ code: z.enum(['LOCATION_FALLBACK', 'LOCATION_UNKNOWN']), message: z.string() })),
  })
  .meta({ id: 'ProvisioningZeroTouchReply' });
export type ProvisionReply = z.output<typeof ProvisionReply>;
