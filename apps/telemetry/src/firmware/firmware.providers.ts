import { randomUUID } from 'node:crypto';
import type { Provider, Type } from '@nestjs/common';
import { AssignmentsController } from './assignments.controller.ts';
import { Assignments } from './assignments.service.ts';
import { DeletedDevices } from './deleted-devices.ts';
import { DeviceDownloadController } from './device-download.controller.ts';
import { DeviceFirmwareStore } from './device-firmware-store.ts';
import { FirmwareTelling } from './firmware-telling.ts';
import { Firmware } from './firmware.service.ts';
import { LoadedBytes } from './loaded-bytes.ts';
import { PackageHousekeeping } from './package-housekeeping.ts';
import { PackageStore } from './package-store.ts';
import { PackageUploads } from './package-uploads.ts';
import { PackagesController } from './packages.controller.ts';
import { Packages } from './packages.service.ts';
import { ReportQueue } from './report-queue.ts';
import { RolloutNewcomers } from './rollout-newcomers.ts';
import { RolloutProgress } from './rollout-progress.ts';
import { ROLLOUT_HOLDER, RolloutQueue } from './rollout-queue.ts';
import { RolloutStore } from './rollout-store.ts';
import { RolloutWaker } from './rollout-waker.ts';
import { RolloutWorker } from './rollout-worker.ts';
import { RolloutsController } from './rollouts.controller.ts';
import { Rollouts } from './rollouts.service.ts';
import { ToldDevices } from './told-devices.ts';

/** What every replica has of firmware, whatever it does. */
export const FIRMWARE_PROVIDERS: Provider[] = [
  PackageStore,
  DeviceFirmwareStore,
  RolloutStore,
  RolloutQueue,
  RolloutProgress,
  RolloutWaker,
  FirmwareTelling,
  LoadedBytes,
  ReportQueue,
  Firmware,
  { provide: ROLLOUT_HOLDER, useFactory: () => randomUUID() },
];

/** What a replica has of firmware that devices are linked to. */
export const FIRMWARE_OF_DEVICES: { controllers: Type[]; providers: Provider[] } = {
  controllers: [DeviceDownloadController],
  providers: [ToldDevices, RolloutNewcomers],
};

/** What a replica has of firmware that works beside devices and people. */
export const FIRMWARE_WORK: Provider[] = [RolloutWorker, PackageHousekeeping, DeletedDevices];

/** What a replica has of firmware that people ask. */
export const FIRMWARE_OF_PEOPLE: { controllers: Type[]; providers: Provider[] } = {
  controllers: [RolloutsController, PackagesController, AssignmentsController],
  providers: [Packages, PackageUploads, Assignments, Rollouts],
};
