import type { CodedError, ErrorBody, ErrorCode } from '#contracts';

/** Reason codes of MQTT 5 that we send (section 2.4). */
export const REASON = {
  success: 0x00,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecific: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicNameInvalid: 0x90,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  connectionRateExceeded: 0x9f,
  subscriptionIdentifiersNotSupported: 0xa1,
} as const;

/** Return codes of a CONNACK in 3.1 and 3.1.1 (MQTT 3.1.1 table 3.1). */
export const RETURN = {
  accepted: 0,
  unacceptableProtocolVersion: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  notAuthorized: 5,
} as const;

/** The codes of a refused CONNECT, for 3.x and for 5. */
export interface ConnackCodes {
  returnCode: number;
  reasonCode: number;
}

const codes = (returnCode: number, reasonCode: number): ConnackCodes => ({ returnCode, reasonCode });

/** What a refused client had said it is known by. */
export interface Introduction {
  by: 'certificate' | 'user name' | 'client id' | 'nothing';
}

/** Errors of which somebody else is the cause, or the moment: the client may try again. */
const LATER = new Set<ErrorCode>(['UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'BUSY', 'INTERNAL', 'SHUTTING_DOWN']);

/** The codes of a CONNECT that is refused with this error, as ThingsBoard's device API has them. */
export function connackCodes({ code }: Pick<CodedError, 'code'>, { by }: Introduction): ConnackCodes {
  if (LATER.has(code)) return codes(RETURN.serverUnavailable, REASON.serverUnavailable);
  if (code === 'RATE_LIMITED' || code === 'TOO_MANY_ATTEMPTS')
    return codes(RETURN.serverUnavailable, REASON.connectionRateExceeded);
  if (code === 'DEVICE_DISABLED' || code === 'FORBIDDEN' || code === 'TOPIC_NOT_ALLOWED')
    return codes(RETURN.notAuthorized, REASON.notAuthorized);
  switch (by) {
    case 'certificate':
    case 'nothing':
      return codes(RETURN.notAuthorized, REASON.notAuthorized);
    case 'user name':
      return codes(RETURN.notAuthorized, REASON.badUserNameOrPassword);
    case 'client id':
      return codes(RETURN.identifierRejected, REASON.clientIdentifierNotValid);
  }
}

const DISCONNECTS: Partial<Record<ErrorCode, number>> = {
  TOKEN_EXPIRED: REASON.notAuthorized,
  TOKEN_REVOKED: REASON.administrativeAction,
  BAD_CREDENTIALS: REASON.administrativeAction,
  DEVICE_DISABLED: REASON.administrativeAction,
  UNAUTHENTICATED: REASON.notAuthorized,
  TOPIC_NOT_ALLOWED: REASON.notAuthorized,
  NOT_A_GATEWAY: REASON.notAuthorized,
  DEVICE_NOT_ALLOWED: REASON.notAuthorized,
  FORBIDDEN: REASON.notAuthorized,
  TAKEN_OVER: REASON.sessionTakenOver,
  SHUTTING_DOWN: REASON.serverShuttingDown,
  KEEP_ALIVE_TIMEOUT: REASON.keepAliveTimeout,
  MALFORMED_PACKET: REASON.malformedPacket,
  PACKET_TOO_LARGE: REASON.packetTooLarge,
  UNSUPPORTED_PROTOCOL: REASON.unsupportedProtocolVersion,
  RATE_LIMITED: REASON.quotaExceeded,
  INTERNAL: REASON.implementationSpecific,
};

/** The reason of a DISCONNECT for this error. */
export const disconnectReason = ({ code }: Pick<ErrorBody, 'code'>): number => DISCONNECTS[code] ?? REASON.unspecified;

const NOT_ALLOWED = new Set<ErrorCode>([
  'TOPIC_NOT_ALLOWED',
  'NOT_A_GATEWAY',
  'DEVICE_NOT_ALLOWED',
  'FORBIDDEN',
  'DEVICE_DISABLED',
]);

/** The reason of a PUBACK or PUBREC, or for QoS 0 of a DISCONNECT, when a publish is refused with this error. */
export function publishReason({ code }: Pick<CodedError, 'code'>): number {
  if (NOT_ALLOWED.has(code)) return REASON.notAuthorized;
  if (code === 'DEVICE_LIMIT_REACHED') return REASON.quotaExceeded;
  return code === 'INTERNAL' ? REASON.implementationSpecific : REASON.payloadFormatInvalid;
}

const HOLDING = new Set<ErrorCode>(['BUSY', 'UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'RATE_LIMITED']);

/** Does this error only say that the moment is wrong? The acknowledgement is held back then. */
export const isHolding = ({ code }: Pick<CodedError, 'code'>): boolean => HOLDING.has(code);
