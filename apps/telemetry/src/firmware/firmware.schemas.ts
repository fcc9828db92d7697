import { z } from 'zod';
import { FirmwareView, PageQuery, pageOf, RolloutView } from '#contracts';

export const Kind = z.enum(['firmware', 'software']);

/** A name: one line without control characters. */
const Name = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must be one line without control characters');

export const UploadQuery = z.strictObject({
  kind: Kind.default('firmware'),
  title: Name.describe('What the package is of'),
  version: Name.describe('Its version, in any form'),
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits')
    .transform((text) => text.toLowerCase())
    .optional()
    .describe('SHA-256 of the file: one that came in otherwise is refused'),
});
export type UploadQuery = z.output<typeof UploadQuery>;

export const PackageQuery = PageQuery.pick({ limit: true, cursor: true }).extend({ kind: Kind.optional() });
export type PackageQuery = z.output<typeof PackageQuery>;

export const PackageView = z
  .object({
    id: z.uuid(),
    kind: Kind,
    title: z.string(),
    version: z.string(),
    fileName: z.string(),
    size: z.number().int().describe('In bytes'),
    checksum: z.string().describe('SHA-256, in hexadecimal'),
    checksumAlgorithm: z.literal('SHA256'),
    customerId: z.uuid().nullable().describe('Whose operators made it; null for one that all may use'),
    createdBy: z.uuid(),
    createdAt: z.number().int().describe('ms since the epoch'),
  })
  .meta({ id: 'TelemetryFirmwarePackage' });
export type PackageView = z.output<typeof PackageView>;

export const PackagePage = pageOf(PackageView).meta({ id: 'TelemetryFirmwarePackagePage' });

export const AssignBody = z
  .strictObject({ package: z.uuid().describe('Id of a package') })
  .meta({ id: 'TelemetryFirmwareAssignment' });
export type AssignBody = z.output<typeof AssignBody>;

export const KindQuery = z.strictObject({ kind: Kind.default('firmware') });
export type KindQuery = z.output<typeof KindQuery>;

export const DeviceFirmwareReply = z.array(FirmwareView);

const Percent = z.number().min(1).max(100);

export const RolloutBody = z
  .strictObject({
    package: z.uuid().describe('Id of a package'),
    profile: z.uuid().describe('Id of a device profile'),
    percent: Percent.describe('Share of the profile’s devices; 10 percent are among 50 percent'),
    stopPercent: Percent.default(20).describe(
      'The rollout stops once this share of the devices that have ended has failed',
    ),
    stopAfter: z.number().int().min(1).max(1_000_000).default(5).describe('At least so many failed devices stop it'),
  })
  .meta({ id: 'TelemetryRolloutRequest' });
export type RolloutBody = z.output<typeof RolloutBody>;

export const RolloutPatch = z
  .strictObject({ percent: Percent.describe('The larger share') })
  .meta({ id: 'TelemetryRolloutPatch' });
export type RolloutPatch = z.output<typeof RolloutPatch>;

export const RolloutQuery = PageQuery.pick({ limit: true, cursor: true });
export type RolloutQuery = z.output<typeof RolloutQuery>;

export const RolloutPage = pageOf(RolloutView).meta({ id: 'TelemetryRolloutPage' });
