import { Inject, Injectable } from '@nestjs/common';
import { CodedError, LIMITS, type DevicePrincipal, type DeviceRef, type ErrorCode, type Receipt } from '#contracts';
import { Firmware } from '../firmware/firmware.service.ts';
import { Ingest } from '../ingest/ingest.ts';
import { IngestLimits } from '../ingest/ingest-limits.ts';
import { keyOfSensor } from './sensor-of-key.ts';
import type { UploadedReading, UploadedTelemetry } from './telemetry-payload.ts';

/** The telemetry of one device. */
export interface Upload {
  device: DeviceRef;
  telemetry: UploadedTelemetry;
}

/** Why one value, or everything of one device, was not kept. */
export interface UploadRejection {
  /** The name of the device. */
  device: string;
  /** As the device sent it; null for everything of the device. */
  key: string | null;
  code: ErrorCode;
  message: string;
}

/** Everything in `accepted` is on stable storage. */
export interface UploadReceipt {
  accepted: number;
  rejected: UploadRejection[];
}

/** Telemetry that is on its way: the receipt holds once it is durable. */
export interface BegunUpload {
  durable: Promise<void>;
  receipt: UploadReceipt;
}

/** Takes telemetry of ThingsBoard's device API, whatever door it came through. */
@Injectable()
export class TelemetryUploads {
  constructor(
    @Inject(Ingest) private readonly ingest: Ingest,
    @Inject(IngestLimits) private readonly limits: IngestLimits,
    @Inject(Firmware) private readonly firmware: Firmware,
  ) {}

  /**
   * Takes the telemetry of devices; durable once it resolves. Throws what ingestion throws, when all of it may be sent again: readings
   * without a time get the same one again under the same `batchId`.
   */
  async accept(principal: DevicePrincipal, uploads: readonly Upload[], batchId?: string): Promise<UploadReceipt> {
    const receipts = await allOf(
      uploads.flatMap(batchesOf).map((batch) => this.acceptBatch(principal, batch, batchId)),
    );
    for (const upload of uploads) this.tellFirmware(upload);
    return {
      accepted: receipts.reduce((sum, { accepted }) => sum + accepted, 0),
      rejected: receipts.flatMap(({ rejected }) => rejected),
    };
  }

  /**
   * As {@link accept}, for the telemetry of one device: what is one batch, as nearly all is, is on its way when this returns, with a promise
   * that it shares with others; the receipt holds once that resolves.
   */
  begin(principal: DevicePrincipal, upload: Upload, batchId?: string): BegunUpload | Promise<UploadReceipt> {
    const { readings } = upload.telemetry;
    if (readings.length === 0 || readings.length > LIMITS.batchReadings)
      return this.accept(principal, [upload], batchId);
    const begun = this.counted(() => this.ingest.begin(principal, readings, batchId));
    if (!('durable' in begun)) return begun.then((receipt) => uploadReceipt(upload.device, readings, receipt));
    this.tellFirmware(upload);
    return { durable: begun.durable, receipt: uploadReceipt(upload.device, readings, begun.receipt) };
  }

  private async acceptBatch(principal: DevicePrincipal, batch: Batch, batchId?: string): Promise<UploadReceipt> {
    const { device, readings } = batch;
    try {
      return uploadReceipt(device, readings, await this.ingest.accept({ ...principal, device }, readings, batchId));
    } catch (thrown) {
      this.limits.countRefusal(thrown);
      throw thrown;
    }
  }

  private counted<T>(begin: () => T): T {
    try {
      return begin();
    } catch (thrown) {
      this.limits.countRefusal(thrown);
      throw thrown;
    }
  }

  private tellFirmware({ device, telemetry: { firmware } }: Upload): void {
    if (firmware) this.firmware.reported(device, firmware);
  }
}

const uploadReceipt = (
  { name }: DeviceRef,
  readings: readonly UploadedReading[],
  { accepted, rejected }: Receipt,
): UploadReceipt => ({
  accepted,
  rejected: rejected.map(({ index, code, message }) => {
    const key = keyOfSensor(readings[index]?.sensor ?? '');
    return { device: name, key, code, message };
  }),
});

/** As many readings of one device as ingestion takes at a time. */
interface Batch {
  device: DeviceRef;
  readings: UploadedReading[];
}

function batchesOf({ device, telemetry: { readings } }: Upload): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start < readings.length; start += LIMITS.batchReadings) {
    batches.push({ device, readings: readings.slice(start, start + LIMITS.batchReadings) });
  }
  return batches;
}

/** Waits for all of them also when one fails: what is sent again must not meet what is still on its way. */
async function allOf<T>(attempts: readonly Promise<T>[]): Promise<T[]> {
  const results: T[] = [];
  for (const outcome of await Promise.allSettled(attempts)) {
    if (outcome.status === 'rejected') throw outcome.reason;
    results.push(outcome.value);
  }
  return results;
}

/** What was not kept, in words. */
export function wordsOf({ device, key, message }: UploadRejection): string {
  return key === null ? `"${device}": ${message}` : `"${key.slice(0, 64)}" of "${device}": ${message}`;
}

/** Throws `BAD_PAYLOAD` with the reason if there was something and nothing of it was kept. */
export function refuseIfNothingWasKept({ accepted, rejected }: UploadReceipt): void {
  const [first] = rejected;
  if (accepted === 0 && first) throw new CodedError(payloadCodeOf(first.code), wordsOf(first));
}

const payloadCodeOf = (code: ErrorCode): ErrorCode => (code === 'DEVICE_LIMIT_REACHED' ? code : 'BAD_PAYLOAD');
