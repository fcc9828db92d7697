import type { JsonObject } from './payload.ts';
import { methodOf, sessionLimitsReply, unknownMethodReply, type SessionLimits } from './rpc-payloads.ts';

/** Injection symbol of {@link SessionLimits}. */
export const SESSION_LIMITS = Symbol('SESSION_LIMITS');

/** Answers what a device asks the platform for: at once, since there is nobody here who would answer later. Throws `BAD_PAYLOAD`. */
export function answerCall(document: unknown, limits: SessionLimits, isGateway: boolean): JsonObject {
  const method = methodOf(document);
  return method === 'getSessionLimits' ? sessionLimitsReply(limits, isGateway) : unknownMethodReply(method);
}
