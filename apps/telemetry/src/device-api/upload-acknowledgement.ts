import { LIMITS } from '#contracts';
import type { Acknowledgement, MqttLink, Published } from '../link/mqtt/topic-handler.ts';
import { refuseIfNothingWasKept, type UploadReceipt } from './telemetry-uploads.ts';

/** Most rejections that are told with an acknowledgement: a property has at most 64 KiB. */
const TOLD = 50;

/**
 * What the acknowledgement of telemetry says in version 5 where something was not kept: a receipt. Throws `BAD_PAYLOAD` there if nothing
 * was. Version 3 has no words for it, and sending the same again would not help: there the device's connection record has them alone.
 */
export function uploadAcknowledgement({ version }: MqttLink, receipt: UploadReceipt): Acknowledgement | undefined {
  if (version !== 5 || receipt.rejected.length === 0) return undefined;
  refuseIfNothingWasKept(receipt);
  const { accepted, rejected } = receipt;
  const told = { ok: true, accepted, rejected: rejected.slice(0, TOLD), rejectedInAll: rejected.length };
  return { userProperties: { receipt: JSON.stringify(told) } };
}

/** By payload, which is the same one when a message is tried again. */
const madeIds = new WeakMap<Buffer, string>();
let made = 0;

/**
 * The batch id of a message: its sender's, or, for one that is too large to be kept at once, one that stays the same when the message
 * is tried again.
 */
export function batchIdOf({ userProperties, payload }: Published, readings: number): string | undefined {
  const given = userProperties['batchId'];
  if (typeof given === 'string') return given;
  if (readings <= LIMITS.batchReadings) return undefined;
  let id = madeIds.get(payload);
  if (id === undefined) {
    made += 1;
    id = `mqtt-${process.pid.toString(36)}-${made.toString(36)}`;
    madeIds.set(payload, id);
  }
  return id;
}
