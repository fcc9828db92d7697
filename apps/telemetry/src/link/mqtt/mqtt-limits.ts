/** Limits that every client is held to. Sizes are bytes, times ms. */
export const MQTT_LIMITS = {
  /** A packet with its header. */
  packetBytes: 1_048_576,
  /** The CONNECT, which comes from nobody we know. */
  connectBytes: 131_072,
  /** Publishes of QoS 1 and 2 that may be unacknowledged at once, in version 5. */
  receiveMaximum: 4_096,
  /** Above this many unacknowledged messages nothing more is read from a client. */
  unacknowledged: 2_048,
  /** The same in bytes of payload. */
  unacknowledgedBytes: 1_048_576,
  /** What all clients of a replica may have unacknowledged; above it, each may have only {@link fairBytes}. */
  allUnacknowledgedBytes: 67_108_864,
  fairBytes: 65_536,
  /** Above this many bytes that the client has not taken, nothing more is read from it. */
  unsentPauseBytes: 262_144,
  /** Whoever is to be sent more while this many bytes wait for it is cut off; one message alone may be larger. */
  unsentBytes: 4_194_304,
  /** A client that takes nothing of what waits for it for this long is cut off. */
  unsentMs: 60_000,
  /** How long a connection may be there without a CONNECT, and how long an answer to it may take. */
  connectMs: 20_000,
  /** How long the client may take to close after our last packet. */
  closeMs: 2_000,
} as const;
