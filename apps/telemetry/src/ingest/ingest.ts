import { randomUUID } from 'node:crypto';
import type { DeviceRef, ErrorCode, Principal, Receipt, Rejection } from '#contracts';
import { isRefusal } from '../authorise/device-access.ts';
import { entryText, type LogReading } from '../reading-log/log-body.ts';
import { parseBatch, parseBatchId, type ParsedBatch } from './parse-batch.ts';
import type { ParsedReading } from './parse-reading.ts';
import { batchKey, TimelessReadings, type TimelessReading } from './timeless-readings.ts';

/** What ingestion needs of the rest of the house. */
export interface IngestPorts {
  /** Resolves once the entry is durable; rejects with `BUSY`. */
  append(entry: string): Promise<void>;
  /** Throws `DEVICE_NOT_ALLOWED`, or `UNAVAILABLE` while nobody can tell. */
  authorise(principal: Principal, device: string): Promise<DeviceRef>;
  /** The device that readings without a device belong to. */
  home(principal: Principal): Promise<DeviceRef>;
  /** Tells viewers; called once the entry is durable. */
  tell(deviceId: string, entry: string): void;
  /** Counts what came in. */
  count(accepted: number, rejected: readonly Rejection[]): void;
  now(): number;
  /** How old a reading may be, in ms. */
  retentionMs: number;
}

/** One device's part of a batch. */
interface Part {
  readings: LogReading[];
  rejected: number;
}

/** Largest entry of the log, in bytes: a batch that is larger once it is written out is split. */
const ENTRY_BYTES = 393_216;

/**
 * Takes batches of readings: parse, authorise, append, receipt. Every door calls it; none acknowledges anything before the
 * receipt is there.
 */
export class Ingest {
  private readonly timeless = new TimelessReadings();

  constructor(private readonly ports: IngestPorts) {}

  /**
   * Resolves with the receipt once every accepted reading is durable. Throws the coded error of a batch of which nothing was
   * accepted: `BATCH_EMPTY`, `BATCH_TOO_LARGE`, `BAD_BATCH_ID`, `BUSY`, `UNAVAILABLE`, `UPSTREAM_TIMEOUT`.
   */
  async accept(principal: Principal, payload: unknown, givenBatchId?: unknown): Promise<Receipt> {
    const batchId = parseBatchId(givenBatchId);
    const now = this.ports.now();
    const batch = parseBatch(payload, { now, oldest: now - this.ports.retentionMs });
    const resendKey = batchId === undefined ? undefined : () => batchKey(callerId(principal), batchId, payload);
    const parts = await this.split(principal, batch, now, resendKey);
    await this.append(parts, now);
    this.ports.count(batch.readings.length, batch.rejected);
    return { ok: true, batchId: batchId ?? randomUUID(), accepted: batch.readings.length, rejected: batch.rejected };
  }

  /** Finds each reading's device. A reading for a device that the caller may not use moves to the rejected ones. */
  private async split(
    principal: Principal,
    batch: ParsedBatch,
    now: number,
    resendKey: (() => string) | undefined,
  ): Promise<Map<string, Part>> {
    const parts = new Map<string, Part>();
    const timeless: TimelessReading[] = [];
    const allowed: ParsedBatch['readings'] = [];
    for (const parsed of batch.readings) {
      const device = await this.deviceOf(principal, parsed);
      if (typeof device !== 'string') {
        batch.rejected.push({ index: parsed.index, ...device });
        continue;
      }
      allowed.push(parsed);
      partOf(parts, device).readings.push(parsed.reading);
      if (parsed.timeless) timeless.push({ deviceId: device, reading: parsed.reading, index: parsed.index });
    }
    if (timeless.length > 0) this.timeless.stamp(timeless, now, resendKey?.());
    batch.readings = allowed;
    batch.rejected.sort((a, b) => a.index - b.index);
    if (batch.rejected.length > 0 && principal.kind === 'device') {
      partOf(parts, principal.device.id).rejected = batch.rejected.length;
    }
    return parts;
  }

  private async deviceOf(
    principal: Principal,
    { device }: ParsedReading,
  ): Promise<string | { code: ErrorCode; message: string }> {
    if (device === undefined) {
      return principal.kind === 'device' ? principal.device.id : (await this.ports.home(principal)).id;
    }
    try {
      return (await this.ports.authorise(principal, device)).id;
    } catch (error) {
      if (isRefusal(error)) return { code: error.code, message: error.message };
      throw error;
    }
  }

  private async append(parts: Map<string, Part>, now: number): Promise<void> {
    const appends: Promise<void>[] = [];
    for (const [deviceId, part] of parts) {
      for (const entry of entriesOf(deviceId, now, part)) {
        appends.push(
          this.ports.append(entry).then(() => {
            this.ports.tell(deviceId, entry);
          }),
        );
      }
    }
    await Promise.all(appends);
  }
}

const callerId = (principal: Principal): string =>
  principal.kind === 'device' ? principal.device.id : principal.userId;

function partOf(parts: Map<string, Part>, deviceId: string): Part {
  let part = parts.get(deviceId);
  if (!part) {
    part = { readings: [], rejected: 0 };
    parts.set(deviceId, part);
  }
  return part;
}

/** The entries of one part: one, unless it is too large. */
function entriesOf(deviceId: string, receivedAt: number, { readings, rejected }: Part): string[] {
  const text = entryText([deviceId, receivedAt, rejected, readings]);
  if (readings.length < 2 || Buffer.byteLength(text) <= ENTRY_BYTES) return [text];
  const half = readings.length >> 1;
  return [
    ...entriesOf(deviceId, receivedAt, { readings: readings.slice(0, half), rejected }),
    ...entriesOf(deviceId, receivedAt, { readings: readings.slice(half), rejected: 0 }),
  ];
}
