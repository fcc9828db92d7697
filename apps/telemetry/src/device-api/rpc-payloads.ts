import type { Published } from '../link/mqtt/topic-handler.ts';
import { badPayload, isObject, jsonIfAny, objectOf, type JsonObject } from './payload.ts';

/** What became of a command, as its device says. */
export type CommandOutcome = { ok: true; result: unknown } | { ok: false; error: string };

/** An answer may be anything: JSON, text, or nothing at all. An object that has only an `error` says that the command failed. */
export function outcomeOf(answer: unknown): CommandOutcome {
  if (isObject(answer) && Object.keys(answer).length === 1 && Object.hasOwn(answer, 'error')) {
    const { error } = answer;
    return { ok: false, error: typeof error === 'string' ? error : JSON.stringify(error) };
  }
  return { ok: true, result: answer };
}

/** The answer of a payload: JSON; what is not JSON is text; null if it is empty. */
export function answerOf(message: Pick<Published, 'payload' | 'text'>): unknown {
  try {
    return jsonIfAny(message) ?? null;
  } catch {
    return message.text;
  }
}

/** A number as it stands in a topic or path, such as a command's or a request's. Throws `BAD_PAYLOAD`. */
export function numberOf(level: string | undefined, what: string): number {
  if (level !== undefined && /^\d{1,10}$/.test(level)) return Number(level);
  throw badPayload(`${what} must be a whole number, this is "${(level ?? '').slice(0, 40)}".`);
}

/** What a device asks the platform for: `{"method": "getSessionLimits", "params": {}}`. Throws `BAD_PAYLOAD`. */
export function methodOf(document: unknown): string {
  const { method } = objectOf(document, 'A call');
  if (typeof method === 'string' && method !== '') return method;
  throw badPayload('A call must have a "method", a string.');
}

/** What a session may do, as the clients of ThingsBoard ask for it. */
export interface SessionLimits {
  /** Bytes of one packet. */
  maxPayloadSize: number;
  /** Publishes that may wait for their acknowledgement. */
  maxInflightMessages: number;
  /** Messages per second; Infinity for no limit. */
  messagesPerSecond: number;
}

/** The reply to `getSessionLimits`. Limits are texts `count:seconds`, null where there is none. */
export function sessionLimitsReply(limits: SessionLimits, isGateway: boolean): JsonObject {
  const { maxPayloadSize, maxInflightMessages, messagesPerSecond } = limits;
  const rates = {
    messages: Number.isFinite(messagesPerSecond) ? `${String(Math.max(1, Math.floor(messagesPerSecond)))}:1` : null,
    telemetryMessages: null,
    telemetryDataPoints: null,
  };
  return {
    maxPayloadSize,
    maxInflightMessages,
    rateLimits: rates,
    ...(isGateway ? { gatewayRateLimits: rates } : {}),
  };
}

/** The reply to any other call: nobody here answers it. */
export const unknownMethodReply = (method: string): JsonObject => ({
  error: `There is no method "${method.slice(0, 64)}" here; there is getSessionLimits.`,
});
