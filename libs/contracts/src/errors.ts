/**
 * Every error code that leaves Fieldline, with the HTTP status it becomes and the fixed title of its problem document
 * (RFC 9457 section 3.1.3). The message of a {@link CodedError} says what was wrong, where, and what to do.
 */
export const ERRORS = {
  // what was sent
  MALFORMED_REQUEST: { status: 400, title: 'The request is not valid HTTP' },
  URI_TOO_LONG: { status: 414, title: 'The address is too long' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  MALFORMED_JSON: { status: 400, title: 'The body is not valid JSON' },
  INVALID_INPUT: { status: 422, title: 'The input is not valid' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The media type is not supported' },
  NOT_FOUND: { status: 404, title: 'There is no such thing here' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not allowed here' },
  // who is calling
  UNAUTHENTICATED: { status: 401, title: 'A valid token is needed' },
  TOKEN_EXPIRED: { status: 401, title: 'The token has expired' },
  TOKEN_REVOKED: { status: 401, title: 'The token has been revoked' },
  BAD_CREDENTIALS: { status: 401, title: 'The credentials are not valid' },
  REFRESH_REUSED: { status: 401, title: 'The refresh token was used before' },
  FORBIDDEN: { status: 403, title: 'Not allowed' },
  SIGNUP_CLOSED: { status: 403, title: 'Sign-up is closed' },
  TOO_MANY_ATTEMPTS: { status: 429, title: 'Too many failed attempts' },
  // what is there already
  EMAIL_TAKEN: { status: 409, title: 'The email address is taken' },
  CONFLICT: { status: 409, title: 'It conflicts with what is there' },
  CUSTOMER_NUMBER_TAKEN: { status: 409, title: 'The customer number is taken' },
  CUSTOMER_IN_USE: { status: 409, title: 'The customer still has devices, assets or users' },
  MAC_TAKEN: { status: 409, title: 'The MAC address is taken' },
  DEVICE_LIMIT_REACHED: { status: 409, title: "The customer's device limit is reached" },
  CREDENTIAL_LIMIT_REACHED: { status: 409, title: 'The device has as many credentials as it may have' },
  DEVICE_IN_USE: { status: 409, title: 'The device still has devices behind it' },
  PROFILE_NAME_TAKEN: { status: 409, title: 'The profile name is taken' },
  PROFILE_IN_USE: { status: 409, title: 'The profile is still in use' },
  ASSET_IN_USE: { status: 409, title: 'The asset still contains something' },
  RELATION_EXISTS: { status: 409, title: 'The relation is there already' },
  RELATION_CYCLE: { status: 409, title: 'The relation would close a circle' },
  STILL_RELATED: { status: 409, title: 'It is still related to something of its customer' },
  USER_NOT_FOUND: { status: 404, title: 'There is no such user' },
  LAST_ADMIN: { status: 409, title: 'The last administrator cannot be removed' },
  VERSION_MISMATCH: { status: 412, title: 'It was changed since it was read' },
  // readings, by their index in the batch
  NOT_AN_OBJECT: { status: 422, title: 'A reading is not an object' },
  UNKNOWN_FIELD: { status: 422, title: 'A reading has an unknown field' },
  BAD_SENSOR: { status: 422, title: 'The sensor name is not valid' },
  BAD_VALUE: { status: 422, title: 'The value is not valid' },
  BAD_UNIT: { status: 422, title: 'The unit is not valid' },
  BAD_LOCATION: { status: 422, title: 'The location is not valid' },
  BAD_TIMESTAMP: { status: 422, title: 'The timestamp is not valid' },
  TIMESTAMP_IN_FUTURE: { status: 422, title: 'The timestamp lies in the future' },
  TIMESTAMP_TOO_OLD: { status: 422, title: 'The timestamp is older than the retention' },
  DEVICE_NOT_ALLOWED: { status: 403, title: 'The device is not one this caller may use' },
  BATCH_EMPTY: { status: 422, title: 'The batch is empty' },
  BATCH_TOO_LARGE: { status: 413, title: 'The batch is too large' },
  BAD_BATCH_ID: { status: 422, title: 'The batch id is not valid' },
  // ways in
  DEBUG_PROVISIONING_OFF: { status: 403, title: 'Debug provisioning is switched off' },
  CUSTOMER_UNKNOWN: { status: 403, title: 'There is no such customer' },
  ALREADY_ACTIVATED: { status: 403, title: 'The device is activated already' },
  NOT_REGISTERED: { status: 404, title: 'The device is not registered' },
  DEVICE_DISABLED: { status: 403, title: 'The device is switched off' },
  DEVICE_MISMATCH: { status: 409, title: 'Another device is known by that name' },
  DEVICE_EXISTS: { status: 409, title: 'The device is there already, and is not the same' },
  PROFILE_NOT_FOUND: { status: 404, title: 'There is no such profile' },
  PROVISIONING_KEY_USED_UP: { status: 403, title: 'The provisioning key has been used as often as it may be' },
  PAIR_KEY_UNKNOWN: { status: 404, title: 'No device waits with that pair key' },
  PAIR_KEY_EXPIRED: { status: 410, title: 'The pair key is no longer valid' },
  PAIR_KEY_TAKEN: { status: 409, title: 'Another device waits with that pair key' },
  ALREADY_CLAIMED: { status: 409, title: 'The device has an owner' },
  OWN_DEVICE: { status: 409, title: 'The device is yours already' },
  UPLOAD_CUT_OFF: { status: 400, title: 'The upload ended early' },
  // talking to devices
  DEVICE_OFFLINE: { status: 409, title: 'The device is not connected' },
  DEVICE_TIMEOUT: { status: 504, title: 'The device did not answer in time' },
  COMMAND_ENDED: { status: 409, title: 'The command has ended already' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The idempotency key belongs to another request' },
  BAD_ATTRIBUTE: { status: 422, title: 'The attribute is not valid' },
  ATTRIBUTES_TOO_LARGE: { status: 413, title: 'The attributes are too large' },
  FIRMWARE_EXISTS: { status: 409, title: 'There is such a package already, and it is not the same' },
  FIRMWARE_IN_USE: { status: 409, title: 'The package is still being rolled out' },
  FIRMWARE_NOT_ASSIGNED: { status: 404, title: 'The device has no such package' },
  RANGE_NOT_SATISFIABLE: { status: 416, title: 'The range is not in the file' },
  CHECKSUM_MISMATCH: { status: 422, title: 'The checksum is not that of the file' },
  ROLLOUT_ENDED: { status: 409, title: 'The rollout has ended already' },
  TAKEN_OVER: { status: 409, title: 'The device has connected anew' },
  NOT_A_GATEWAY: { status: 403, title: 'The device is not a gateway' },
  TOPIC_NOT_ALLOWED: { status: 403, title: 'The topic is not one this device may use' },
  BAD_PAYLOAD: { status: 422, title: 'The payload is not what the topic takes' },
  MALFORMED_PACKET: { status: 400, title: 'The packet is not valid MQTT' },
  PACKET_TOO_LARGE: { status: 413, title: 'The packet is too large' },
  UNSUPPORTED_PROTOCOL: { status: 400, title: 'The protocol version is not supported' },
  KEEP_ALIVE_TIMEOUT: { status: 408, title: 'Nothing came within the keep-alive time' },
  // load and failure
  RATE_LIMITED: { status: 429, title: 'Too many messages' },
  BUSY: { status: 503, title: 'The reading log cannot take more just now' },
  UNAVAILABLE: { status: 503, title: 'A service is not available' },
  UPSTREAM_TIMEOUT: { status: 504, title: 'A service did not answer in time' },
  SHUTTING_DOWN: { status: 503, title: 'The service is shutting down' },
  INTERNAL: { status: 500, title: 'Something went wrong on our side' },
} as const satisfies Record<string, { status: number; title: string }>;

/** An upper-case word of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** One offending place of an input: `path` is a JSON pointer (RFC 6901). */
export interface ErrorIssue {
  path: string;
  message: string;
}

/** What a coded error looks like on the wire between services, in acks and in `connect_error`. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  /** Every offending place, for `INVALID_INPUT`. */
  errors?: ErrorIssue[];
  /** Milliseconds after which to try again, for `BUSY`, `RATE_LIMITED`, `TOO_MANY_ATTEMPTS` and `UNAVAILABLE`. */
  retryAfterMs?: number;
}

/** The one error that is thrown on purpose; a transport turns it into HTTP, an ack or a message. */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly errors?: ErrorIssue[];
  readonly retryAfterMs?: number;

  constructor(
    code: ErrorCode,
    message: string,
    extra: { errors?: ErrorIssue[]; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = 'CodedError';
    this.code = code;
    if (extra.errors) this.errors = extra.errors;
    if (extra.retryAfterMs !== undefined) this.retryAfterMs = extra.retryAfterMs;
  }

  /** The HTTP status of the code. */
  get status(): number {
    return ERRORS[this.code].status;
  }

  /** The form that crosses a process. */
  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.errors ? { errors: this.errors } : {}),
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
    };
  }

  /** A CodedError for one that came off the wire, or `undefined` if the value is not one. */
  static from(value: unknown): CodedError | undefined {
    if (value instanceof CodedError) return value;
    if (typeof value !== 'object' || value === null || value instanceof Error) return undefined;
    const { code, message, errors, retryAfterMs } = value as Partial<ErrorBody>;
    if (typeof code !== 'string' || !(code in ERRORS) || typeof message !== 'string') return undefined;
    return new CodedError(code, message, { errors, retryAfterMs });
  }
}
