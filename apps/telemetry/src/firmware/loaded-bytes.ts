import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { LOGGER, type Log } from '#platform';
import { DeviceFirmwareStore } from './device-firmware-store.ts';
import { NOT_BEGUN } from './firmware-reports.ts';
import { FirmwareTelling } from './firmware-telling.ts';

/** How often what devices have loaded is written, in ms. */
const EVERY_MS = 1_000;
/** Devices that may wait for it. */
const MAX_DEVICES = 20_000;

interface Loaded {
  deviceId: string;
  packageId: string;
  bytes: number;
}

/** How much of their packages devices have loaded: counted in memory, written now and then. */
@Injectable()
export class LoadedBytes implements BeforeApplicationShutdown {
  private loaded = new Map<string, Loaded>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    @Inject(DeviceFirmwareStore) private readonly store: DeviceFirmwareStore,
    @Inject(FirmwareTelling) private readonly telling: FirmwareTelling,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    await this.writing;
    await this.write();
  }

  /** A device has loaded a package up to this byte. */
  note(deviceId: string, packageId: string, bytes: number): void {
    const key = `${deviceId} ${packageId}`;
    const before = this.loaded.get(key);
    if (before ? before.bytes >= bytes : this.loaded.size >= MAX_DEVICES) return;
    this.loaded.set(key, { deviceId, packageId, bytes });
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.writing = this.writing.then(() => this.write());
    }, EVERY_MS);
  }

  private async write(): Promise<void> {
    const all = [...this.loaded.values()];
    this.loaded = new Map();
    try {
      for (const { deviceId, packageId, bytes } of all) {
        const assigned = await this.store.loaded(deviceId, packageId, bytes);
        if (!assigned) continue;
        const begun = await this.store.step(assigned, { state: 'downloading', error: null }, NOT_BEGUN);
        this.telling.stepped(begun ?? assigned);
      }
    } catch (error) {
      this.log.warn({ err: error }, 'what devices have loaded could not be noted');
    }
  }
}
