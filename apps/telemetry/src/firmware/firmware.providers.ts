import type { Provider } from '@nestjs/common';
import { DeviceFirmwareStore } from './device-firmware-store.ts';
import { FirmwareTelling } from './firmware-telling.ts';
import { Firmware } from './firmware.service.ts';
import { LoadedBytes } from './loaded-bytes.ts';
import { PackageStore } from './package-store.ts';
import { ReportQueue } from './report-queue.ts';
import { RolloutProgress } from './rollout-progress.ts';
import { RolloutStore } from './rollout-store.ts';

/** What every replica has of firmware, whatever it does. */
export const FIRMWARE_PROVIDERS: Provider[] = [
  PackageStore,
  DeviceFirmwareStore,
  RolloutStore,
  RolloutProgress,
  FirmwareTelling,
  LoadedBytes,
  ReportQueue,
  Firmware,
];
