import { isUtf8 } from 'node:buffer';
import { CodedError } from '#contracts';
import type { Published } from '../link/mqtt/topic-handler.ts';

/** A payload that is not what its topic or route takes. */
export const badPayload = (message: string): CodedError => new CodedError('BAD_PAYLOAD', message);

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A payload as a handler of MQTT sees it: `text` has U+FFFD for whatever is no UTF-8 in it. */
type Payload = Pick<Published, 'payload' | 'text'>;

/** The JSON (RFC 8259) of a payload; a byte order mark before it is ignored. Throws `BAD_PAYLOAD`. */
export function jsonOf(message: Payload): unknown {
  const { text } = message;
  if (text === '') throw badPayload('The payload is empty: it must be JSON.');
  if (text.includes('\ufffd') && !isUtf8(message.payload)) {
    throw badPayload('The payload is not UTF-8: it must be JSON in UTF-8.');
  }
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
  } catch (error) {
    throw badPayload(`The payload is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

/** As {@link jsonOf}; undefined for an empty payload. */
export const jsonIfAny = (message: Payload): unknown => (message.text === '' ? undefined : jsonOf(message));

/** A payload of bytes. */
export const payloadOf = (payload: Buffer): Payload => ({ payload, text: payload.toString('utf8') });

/** A JSON object. Throws `BAD_PAYLOAD`; `what` says what it is, such as `attributes`. */
export function objectOf(document: unknown, what: string): JsonObject {
  if (isObject(document)) return document;
  throw badPayload(`${what} must be a JSON object, this is ${nameOf(document)}.`);
}

/** What a JSON value is, in words. */
export function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
