import { Inject, Injectable } from '@nestjs/common';
import { type Ledger, type Page, type Reading, type UserPrincipal } from '#contracts';
import { DeviceAccess } from '../authorise/device-access.ts';
import { deviceFor } from '../authorise/device-for.ts';
import { parseBody } from '../reading-log/log-body.ts';
import { READING_LOG, type ReadingLog } from '../reading-log/reading-log.ts';
import { READING_STORE, type ReadingStore } from '../reading-store/reading-store.ts';
import { readCursor, writeCursor } from './cursor.ts';
import type { RangeRequest } from './query.schemas.ts';

/** The readings of devices that the caller may see. */
@Injectable()
export class ReadingsService {
  constructor(
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(READING_STORE) private readonly store: ReadingStore,
    @Inject(READING_LOG) private readonly log: ReadingLog,
  ) {}

  /** The newest reading of each sensor by its own time. */
  async latest(
    caller: UserPrincipal,
    device: string,
    sensors?: readonly string[],
  ): Promise<Record<string, Omit<Reading, 'sensor'>>> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    const readings = await this.store.latest(id, sensors);
    return Object.fromEntries(readings.map(({ sensor, ...reading }) => [sensor, reading]));
  }

  async range(caller: UserPrincipal, device: string, request: RangeRequest): Promise<Page<Reading>> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    const { sensor, from, to, order, limit, cursor } = request;
    const after = cursor === undefined ? undefined : readCursor(cursor);
    const items = await this.store.range({
      deviceId: id,
      from,
      to,
      order,
      limit: limit + 1,
      ...(sensor === undefined ? {} : { sensor }),
      ...(after ? { after } : {}),
    });
    const page = items.slice(0, limit);
    const last = page.at(-1);
    return { items: page, nextCursor: items.length > limit && last ? writeCursor(last) : null };
  }

  /**
   * What became of everything that the device ever sent. What the log holds is read first and the store second: what is written
   * in between is counted by the store, which tells it from what still waits.
   */
  async ledger(caller: UserPrincipal, device: string): Promise<Ledger> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    const waiting = await this.waiting(id);
    const stored = await this.store.ledger(id);
    const ledger = { ...stored.counts, queued: 0 };
    for (const { seq, queued, rejected } of waiting) {
      if (stored.includes(this.log.id, seq)) continue;
      ledger.received += queued + rejected;
      ledger.queued += queued;
      ledger.rejected += rejected;
    }
    return ledger;
  }

  /** What the log holds of a device, by message. */
  private async waiting(deviceId: string): Promise<{ seq: number; queued: number; rejected: number }[]> {
    const waiting: { seq: number; queued: number; rejected: number }[] = [];
    for await (const { seq, body } of this.log.pending()) {
      if (!body.includes(deviceId)) continue;
      for (const [device, , rejected, readings] of parseBody(body)) {
        if (device === deviceId) waiting.push({ seq, queued: readings.length, rejected });
      }
    }
    return waiting;
  }
}
