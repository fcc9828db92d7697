import type { FirmwareView } from '#contracts';
import type { DeviceFirmwareEntity, PackageEntity } from './firmware.entity.ts';

/** How far a device is with a package, as people see it. */
export const firmwareView = ({
  row,
  package: { id, kind, title, version },
}: {
  row: DeviceFirmwareEntity;
  package: PackageEntity;
}): FirmwareView => ({
  kind,
  package: id,
  title,
  version,
  rollout: row.rolloutId,
  state: row.state,
  bytes: row.bytes,
  error: row.error,
  updatedAt: row.updatedAt.getTime(),
});
