import { CodedError } from '#contracts';

/** A payload that is not what its topic or route takes. */
export const badPayload = (message: string): CodedError => new CodedError('BAD_PAYLOAD', message);

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** The JSON (RFC 8259) of a payload. Throws `BAD_PAYLOAD`. */
export function jsonOf(payload: Buffer): unknown {
  if (payload.length === 0) throw badPayload('The payload is empty: it must be JSON.');
  const text = textOf(payload);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badPayload(`The payload is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function textOf(payload: Buffer): string {
  try {
    return UTF8.decode(payload);
  } catch {
    throw badPayload('The payload is not UTF-8: it must be JSON in UTF-8.');
  }
}

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
