import { isUtf8 } from 'node:buffer';
import { CodedError, type Receipt } from '#contracts';
import { REASON } from '../../link/mqtt/reason-codes.ts';
import type { Acknowledgement, MqttLink, Published, TopicHandler } from '../../link/mqtt/topic-handler.ts';
import type { IngestLimits } from '../ingest-limits.ts';
import type { Ingest } from '../ingest.ts';

/**
 * Readings over MQTT on `device/{id}/data`: JSON, one reading or an array, as over HTTP, with the user property `batchId` in version 5.
 * The acknowledgement is the receipt: everything that was accepted is durable. Where some was rejected, version 5 is told with the user
 * property `receipt`, the receipt as JSON, and with 0x99 where nothing was accepted.
 */
export function readingsHandler(
  ingest: Pick<Ingest, 'begin'>,
  limits: Pick<IngestLimits, 'countRefusal'>,
): TopicHandler {
  const counted = (thrown: unknown): unknown => {
    limits.countRefusal(thrown);
    return thrown;
  };
  const wait = async (receipt: Promise<Receipt>): Promise<Acknowledgement | undefined> => {
    try {
      return acknowledgementOf(await receipt);
    } catch (thrown) {
      throw counted(thrown);
    }
  };
  return ({ principal }: MqttLink, message: Published) => {
    try {
      const begun = ingest.begin(principal, jsonOf(message), message.userProperties['batchId']);
      if (!('durable' in begun)) return wait(begun);
      return { durable: begun.durable, answer: acknowledgementOf(begun.receipt) };
    } catch (thrown) {
      throw counted(thrown);
    }
  };
}

function jsonOf({ text, payload }: Published): unknown {
  // Ill-formed UTF-8 has become U+FFFD in the text, as a well-formed one may be.
  if (text.includes('\ufffd') && !isUtf8(payload))
    throw new CodedError('BAD_PAYLOAD', 'The payload is not UTF-8: readings are JSON.');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CodedError('BAD_PAYLOAD', 'The payload is not JSON: send one reading or an array of readings.');
  }
}

/** Bytes of a receipt that goes into a user property, whose length has 16 bits (MQTT 5 section 1.5.4). */
const MOST_RECEIPT_BYTES = 65_535;

/** A receipt that is too long says how many were rejected, and which are the first of them. */
function acknowledgementOf(receipt: Receipt): Acknowledgement | undefined {
  if (receipt.rejected.length === 0) return undefined;
  let told = receipt;
  let text = JSON.stringify(told);
  while (Buffer.byteLength(text) > MOST_RECEIPT_BYTES) {
    told = { ...told, rejected: told.rejected.slice(0, told.rejected.length >> 1) };
    text = JSON.stringify(told);
  }
  const userProperties = { receipt: text };
  return receipt.accepted > 0 ? { userProperties } : { reasonCode: REASON.payloadFormatInvalid, userProperties };
}
