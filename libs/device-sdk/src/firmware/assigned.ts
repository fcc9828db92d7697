import { z } from 'zod';
import type { FirmwareKind } from '../link/transport.ts';

const Sha256 = z
  .string()
  .toLowerCase()
  .regex(/^[0-9a-f]{64}$/);

/** A package that the device is to have. */
export interface FirmwarePackage {
  readonly kind: FirmwareKind;
  readonly title: string;
  readonly version: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256, hexadecimal in lower case. */
  readonly checksum: string;
}

/** How the shared attributes about each kind begin. */
export const prefixOf = (kind: FirmwareKind): 'fw' | 'sw' => (kind === 'firmware' ? 'fw' : 'sw');

/**
 * The package that shared attributes assign (`fw_title`, `fw_version`, `fw_size`, `fw_checksum`, `fw_checksum_algorithm`; `sw_...` for
 * software); undefined without any, or with attributes that name none that this device could check.
 */
export function assignedIn(shared: Readonly<Record<string, unknown>>, kind: FirmwareKind): FirmwarePackage | undefined {
  const of = (name: string) => shared[`${prefixOf(kind)}_${name}`];
  const read = Assigned.safeParse({
    title: of('title'),
    version: of('version'),
    size: of('size'),
    checksum: of('checksum'),
    algorithm: of('checksum_algorithm'),
  });
  if (!read.success) return undefined;
  const { title, version, size, checksum } = read.data;
  return { kind, title, version, size, checksum };
}

const Assigned = z.object({
  title: z.string().min(1),
  version: z.string().min(1),
  size: z.number().int().min(0),
  checksum: Sha256,
  algorithm: z
    .string()
    .regex(/^sha-?256$/i)
    .optional(),
});
