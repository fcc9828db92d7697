import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { DeviceRef } from '#contracts';
import { Events, type Unsubscribe } from '#messaging';
import { LOGGER, type Log } from '#platform';
import { FirstReadings } from '../ingest/first-readings.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { DeviceEvents } from '../live/device-events.ts';
import type { AttributeEntity, AttributeScope } from './attribute.entity.ts';
import { AttributeStore, type WriteOptions, type Written } from './attribute-store.ts';
import type { AttributesPatch } from './attribute-write.ts';

/** What a device asks for of one scope: these keys, or all. */
export type Wanted = readonly string[] | true;

/** The attributes of a device by scope and key. */
export type AttributesByScope = Record<AttributeScope, Record<string, unknown>>;

/** The twin of each device: what it says of itself, and what it is told. */
@Injectable()
export class Attributes implements OnApplicationBootstrap, OnApplicationShutdown {
  private unsubscribe: Unsubscribe = () => undefined;

  constructor(
    @Inject(AttributeStore) private readonly store: AttributeStore,
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(DeviceEvents) private readonly live: DeviceEvents,
    @Inject(Events) private readonly events: Events,
    @Inject(FirstReadings) private readonly first: Pick<FirstReadings, 'heard'>,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.events.on('registry.device.changed', ({ change, device }) => {
      if (change === 'deleted') void this.forget(device.id);
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  /** What a device may read of its attributes: of a scope that is not wanted there is nothing. They are of this version, or newer. */
  async read(
    deviceId: string,
    wanted: { client?: Wanted; shared?: Wanted },
  ): Promise<{ version: number; client: Record<string, unknown>; shared: Record<string, unknown> }> {
    const version = await this.store.version(deviceId);
    const [client, shared] = [
      await this.ofScope(deviceId, 'client', wanted.client),
      await this.ofScope(deviceId, 'shared', wanted.shared),
    ];
    return { version, client, shared };
  }

  /**
   * A device says what it is: its client attributes, durable once this resolves; null deletes, a key that is there is replaced.
   * Throws `BAD_ATTRIBUTE` and `ATTRIBUTES_TOO_LARGE`: then nothing is written.
   */
  async report(device: DeviceRef, attributes: Record<string, unknown>): Promise<{ version: number }> {
    const { version } = await this.write(device.id, { client: attributes }, { by: null });
    this.first.heard(device);
    return { version };
  }

  /** As {@link AttributeStore.write}; viewers and the device are told. */
  async write(deviceId: string, patch: AttributesPatch, options: WriteOptions): Promise<Written> {
    const written = await this.store.write(deviceId, patch, options);
    this.told(deviceId, written);
    return written;
  }

  /** Something was written that is committed by now: viewers are told, and the device, wherever it is linked. */
  told(deviceId: string, { changes }: Written): void {
    for (const data of changes) this.live.tell(deviceId, { event: 'attributes', data });
    if (changes.some(({ scope }) => scope === 'shared')) this.links.tell(deviceId, { type: 'attributes' });
  }

  /** All attributes of a device, or those of one scope or of some keys, and their version. */
  async all(
    deviceId: string,
    narrowed: { scope?: AttributeScope; keys?: readonly string[] } = {},
  ): Promise<{ version: number; attributes: AttributesByScope }> {
    const version = await this.store.version(deviceId);
    const rows = await this.store.find(deviceId, narrowed);
    return { version, attributes: byScope(rows) };
  }

  private async ofScope(
    deviceId: string,
    scope: AttributeScope,
    wanted: Wanted | undefined,
  ): Promise<Record<string, unknown>> {
    if (wanted === undefined || (wanted !== true && wanted.length === 0)) return {};
    const rows = await this.store.find(deviceId, wanted === true ? { scope } : { scope, keys: wanted });
    return byScope(rows)[scope];
  }

  private async forget(deviceId: string): Promise<void> {
    try {
      await this.store.forget(deviceId);
    } catch (error) {
      this.log.warn({ err: error, deviceId }, 'the attributes of a deleted device stay for now');
    }
  }
}

function byScope(rows: readonly AttributeEntity[]): AttributesByScope {
  const of = (wanted: AttributeScope): Record<string, unknown> =>
    Object.fromEntries(rows.filter(({ scope }) => scope === wanted).map(({ key, value }) => [key, value]));
  return { client: of('client'), shared: of('shared'), server: of('server') };
}
