import { randomUUID } from 'node:crypto';
import { callerIdOf, type DeviceRef, type ErrorCode, type Principal, type Receipt, type Rejection } from '#contracts';
import { isRefusal } from '../authorise/device-access.ts';
import { readingText, type WrittenEntry } from '../reading-log/log-body.ts';
import { parseBatch, parseBatchId, type ParsedBatch } from './parse-batch.ts';
import type { ParsedReading } from './parse-reading.ts';
import { batchKey, TimelessReadings } from './timeless-readings.ts';

/** What ingestion needs of the rest of the house. */
export interface IngestPorts {
  /** Resolves once the entry is durable; rejects with `BUSY`. */
  append(entry: WrittenEntry): Promise<void>;
  /** Throws `DEVICE_NOT_ALLOWED`, or `UNAVAILABLE` while nobody can tell. */
  authorise(principal: Principal, device: string): Promise<DeviceRef>;
  /** The device that readings without a device belong to. */
  home(principal: Principal): Promise<DeviceRef>;
  /** Tells viewers; called once the entry is durable. */
  tell(entry: WrittenEntry): void;
  /** Readings of the device are durable; called for every batch, and must not take time. */
  heard(device: DeviceRef): void;
  /** Counts what came in. */
  count(accepted: number, rejected: readonly Rejection[]): void;
  now(): number;
  /** How old a reading may be, in ms. */
  retentionMs: number;
}

/** One device's part of a batch. */
interface Part {
  device: DeviceRef;
  readings: ParsedReading[];
  rejected: number;
}

/** Largest entry of the log, in characters: a batch that is larger once it is written out is split. */
const ENTRY_CHARS = 262_144;

/**
 * Takes batches of readings: parse, authorise, append, receipt. Every door calls it; none acknowledges anything before the
 * receipt is there.
 */
export class Ingest {
  private readonly timeless = new TimelessReadings();
  private readonly batchIdPrefix = randomUUID().slice(0, 13);
  private batches = 0;

  constructor(private readonly ports: IngestPorts) {}

  /**
   * Resolves with the receipt once every accepted reading is durable. Throws the coded error of a batch of which nothing was
   * accepted: `BATCH_EMPTY`, `BATCH_TOO_LARGE`, `BAD_BATCH_ID`, `BUSY`, `UNAVAILABLE`, `UPSTREAM_TIMEOUT`.
   */
  async accept(principal: Principal, payload: unknown, givenBatchId?: unknown): Promise<Receipt> {
    const batchId = parseBatchId(givenBatchId);
    const now = this.ports.now();
    const batch = parseBatch(payload, { now, oldest: now - this.ports.retentionMs });
    const parts = ownPart(principal, batch) ?? (await this.split(principal, batch));
    for (const { device, readings } of parts) {
      if (readings.some(({ timeless }) => timeless)) {
        const resendKey =
          batchId === undefined ? undefined : batchKey(device.id, callerIdOf(principal), batchId, payload);
        this.timeless.stamp(device.id, readings, now, resendKey);
      }
    }
    await this.append(parts, now);
    this.ports.count(batch.readings.length, batch.rejected);
    return {
      ok: true,
      batchId: batchId ?? this.newBatchId(),
      accepted: batch.readings.length,
      rejected: batch.rejected,
    };
  }

  /** Finds each reading's device. A reading for a device that the caller may not use moves to the rejected ones. */
  private async split(principal: Principal, batch: ParsedBatch): Promise<Part[]> {
    const parts = new Map<string, Part>();
    const allowed: ParsedReading[] = [];
    for (const reading of batch.readings) {
      const device = await this.deviceOf(principal, reading);
      if ('id' in device) {
        allowed.push(reading);
        partOf(parts, device).readings.push(reading);
      } else {
        batch.rejected.push({ index: reading.index, ...device });
      }
    }
    batch.readings = allowed;
    batch.rejected.sort((a, b) => a.index - b.index);
    if (batch.rejected.length > 0 && principal.kind === 'device') {
      partOf(parts, principal.device).rejected = batch.rejected.length;
    }
    return [...parts.values()];
  }

  private async deviceOf(
    principal: Principal,
    { device }: ParsedReading,
  ): Promise<DeviceRef | { code: ErrorCode; message: string }> {
    if (device === undefined) return principal.kind === 'device' ? principal.device : this.ports.home(principal);
    try {
      return await this.ports.authorise(principal, device);
    } catch (error) {
      if (isRefusal(error)) return { code: error.code, message: error.message };
      throw error;
    }
  }

  private async append(parts: readonly Part[], now: number): Promise<void> {
    const entries = parts.flatMap((part) => entriesOf(part, now));
    const [entry] = entries;
    if (entries.length === 1 && entry) await this.ports.append(entry);
    else await Promise.all(entries.map((each) => this.ports.append(each)));
    for (const each of entries) this.ports.tell(each);
    for (const { device, readings } of parts) if (readings.length > 0) this.ports.heard(device);
  }

  private newBatchId(): string {
    this.batches += 1;
    return `${this.batchIdPrefix}-${this.batches.toString(36)}`;
  }
}

/** The one part of a batch that is all the sending device's own, which most are; undefined for another one. */
function ownPart(principal: Principal, { readings, rejected }: ParsedBatch): Part[] | undefined {
  if (principal.kind !== 'device' || !readings.every(({ device }) => device === undefined)) return undefined;
  return [{ device: principal.device, readings, rejected: rejected.length }];
}

function partOf(parts: Map<string, Part>, device: DeviceRef): Part {
  let part = parts.get(device.id);
  if (!part) {
    part = { device, readings: [], rejected: 0 };
    parts.set(device.id, part);
  }
  return part;
}

/** The entries of one part: one, unless it is too large. */
function entriesOf({ device, readings, rejected }: Part, receivedAt: number): WrittenEntry[] {
  const deviceId = device.id;
  const entries: WrittenEntry[] = [];
  let texts = '';
  for (const { sensor, ts, value, unit, location } of readings) {
    const text = readingText(sensor, ts, value, unit, location);
    if (texts.length + text.length > ENTRY_CHARS) {
      entries.push({ deviceId, receivedAt, rejected: 0, readings: texts });
      texts = '';
    }
    texts = texts === '' ? text : `${texts},${text}`;
  }
  entries.push({ deviceId, receivedAt, rejected, readings: texts });
  return entries;
}
