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
  /** Readings of the device, or that it sent for others, are durable; called for every batch, and must not take time. */
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

/** A batch as it came in. */
interface GivenBatch {
  principal: Principal;
  payload: unknown;
  batchId: string | undefined;
  now: number;
  batch: ParsedBatch;
}

/** A batch that is on its way to the log: the receipt holds once it is durable. */
export interface BegunBatch {
  durable: Promise<void>;
  receipt: Receipt;
}

/** What is needed of a batch once it is durable. */
interface DurableBatch {
  entries: readonly WrittenEntry[];
  parts: readonly Part[];
  receipt: Receipt;
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
  /** The batches of the group that was appended to last. */
  private newest: { durable: Promise<void>; batches: DurableBatch[] } | undefined;

  constructor(private readonly ports: IngestPorts) {}

  /**
   * Resolves with the receipt once every accepted reading is durable. Throws the coded error of a batch of which nothing was
   * accepted: `BATCH_EMPTY`, `BATCH_TOO_LARGE`, `BAD_BATCH_ID`, `BUSY`, `UNAVAILABLE`, `UPSTREAM_TIMEOUT`.
   */
  async accept(principal: Principal, payload: unknown, givenBatchId?: unknown): Promise<Receipt> {
    const begun = this.begin(principal, payload, givenBatchId);
    if (!('durable' in begun)) return begun;
    await begun.durable;
    return begun.receipt;
  }

  /**
   * Takes a batch as {@link accept} does. One of nothing but a device's own readings is on its way to the log when this returns, with no
   * promise of its own: batches of one group commit share it.
   */
  begin(principal: Principal, payload: unknown, givenBatchId?: unknown): BegunBatch | Promise<Receipt> {
    const batchId = parseBatchId(givenBatchId);
    const now = this.ports.now();
    const batch = parseBatch(payload, { now, oldest: now - this.ports.retentionMs });
    const given = { principal, payload, batchId, now, batch };
    const own = ownPart(principal, batch);
    return own ? this.append(given, own) : this.beginSplit(given);
  }

  private async beginSplit(given: GivenBatch): Promise<Receipt> {
    const { durable, receipt } = this.append(given, await this.split(given.principal, given.batch));
    await durable;
    const { principal } = given;
    if (principal.kind === 'device' && receipt.accepted > 0) this.ports.heard(principal.device);
    return receipt;
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

  private append({ principal, payload, batchId, now, batch }: GivenBatch, parts: readonly Part[]): BegunBatch {
    for (const { device, readings } of parts) {
      if (readings.some(({ timeless }) => timeless)) {
        const resendKey =
          batchId === undefined ? undefined : batchKey(device.id, callerIdOf(principal), batchId, payload);
        this.timeless.stamp(device.id, readings, now, resendKey);
      }
    }
    const entries = parts.flatMap((part) => entriesOf(part, now));
    const [entry] = entries;
    const durable =
      entries.length === 1 && entry
        ? this.ports.append(entry)
        : Promise.all(entries.map((each) => this.ports.append(each))).then(() => undefined);
    const { readings, rejected } = batch;
    const receipt: Receipt = { ok: true, batchId: batchId ?? this.newBatchId(), accepted: readings.length, rejected };
    this.whenDurable(durable, { entries, parts, receipt });
    return { durable, receipt };
  }

  /** What follows once batches are durable is done for those that share the promise together. */
  private whenDurable(durable: Promise<void>, batch: DurableBatch): void {
    if (this.newest?.durable !== durable) {
      const batches: DurableBatch[] = [];
      this.newest = { durable, batches };
      durable.then(
        () => {
          for (const each of batches) this.finish(each);
          if (this.newest?.batches === batches) this.newest = undefined;
        },
        // Whoever waits for the receipt is told.
        () => undefined,
      );
    }
    this.newest.batches.push(batch);
  }

  private finish({ entries, parts, receipt }: DurableBatch): void {
    for (const entry of entries) this.ports.tell(entry);
    for (const { device, readings } of parts) if (readings.length > 0) this.ports.heard(device);
    this.ports.count(receipt.accepted, receipt.rejected);
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
