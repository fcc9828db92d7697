import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { DeviceRef } from '#contracts';
import { Events, RpcClient, type Unsubscribe } from '#messaging';
import { LOGGER, upTo, type Log } from '#platform';

/** How long it is remembered that a device was told of, in ms: a living connection goes on knowing its device as it was. */
const REMEMBERED_MS = 600_000;
const MAX_DEVICES = 100_000;
/** Most that are told of at the same time; the others wait for their next readings. */
const AT_ONCE = 32;

/**
 * Tells the registry of devices whose first readings, or attributes, are durable: they are active from then on. Nobody waits for that;
 * where it fails it is done with the next ones.
 */
@Injectable()
export class FirstReadings implements OnApplicationShutdown {
  private readonly told = new LRUCache<string, true>({ ...upTo(MAX_DEVICES), ttl: REMEMBERED_MS });
  private readonly telling = new Set<string>();
  private readonly unsubscribe: Unsubscribe;

  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(Events) events: Events,
    @Inject(LOGGER) private readonly log: Log,
  ) {
    this.unsubscribe = events.on('registry.device.changed', ({ device }) => {
      if (device.state !== 'active') this.told.delete(device.id);
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  /** Readings or attributes of the device are durable. */
  heard({ id, state }: DeviceRef): void {
    if (state === 'active' || this.told.has(id) || this.telling.has(id) || this.telling.size >= AT_ONCE) return;
    this.telling.add(id);
    void this.tell(id);
  }

  private async tell(deviceId: string): Promise<void> {
    try {
      await this.rpc.call('registry.devices.heard', { deviceId });
      this.told.set(deviceId, true);
    } catch (error) {
      this.log.debug(
        { err: error, device: deviceId },
        'the registry was not told of first readings; trying with the next',
      );
    } finally {
      this.telling.delete(deviceId);
    }
  }
}
