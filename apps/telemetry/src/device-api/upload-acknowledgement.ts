import { LIMITS } from '#contracts';
import { REASON } from '../link/mqtt/reason-codes.ts';
import type { Acknowledgement, Published } from '../link/mqtt/topic-handler.ts';
import type { UploadReceipt } from './telemetry-uploads.ts';

/** Most rejections that are told with an acknowledgement: a property has at most 64 KiB. */
const TOLD = 50;
/** Characters of a key that are told: it may be too long to be one. */
const TOLD_OF_KEY = 128;

/**
 * What the acknowledgement of telemetry says in version 5 where something was not kept: a receipt, and 0x99 if nothing was. Before, there are
 * no words for it, and sending the same again would not help: there the device's connection record has them alone.
 */
export function uploadAcknowledgement({ accepted, rejected }: UploadReceipt): Acknowledgement | undefined {
  if (rejected.length === 0) return undefined;
  const first = rejected.slice(0, TOLD).map((one) => ({ ...one, key: one.key?.slice(0, TOLD_OF_KEY) ?? null }));
  const told = { ok: true, accepted, rejected: first, rejectedInAll: rejected.length };
  const userProperties = { receipt: JSON.stringify(told) };
  return accepted > 0 ? { userProperties } : { reasonCode: REASON.payloadFormatInvalid, userProperties };
}

/** By message, which is the same one when it is tried again. */
const madeIds = new WeakMap<Published, string>();
let made = 0;

/**
 * The batch id of a message: its sender's, or, for one that is too large to be kept at once, one that stays the same when the message
 * is tried again.
 */
export function batchIdOf(message: Published, readings: number): string | undefined {
  const given = message.userProperties['batchId'];
  if (typeof given === 'string') return given;
  if (readings <= LIMITS.batchReadings) return undefined;
  let id = madeIds.get(message);
  if (id === undefined) {
    made += 1;
    id = `mqtt-${process.pid.toString(36)}-${made.toString(36)}`;
    madeIds.set(message, id);
  }
  return id;
}
