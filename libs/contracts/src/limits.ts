/** Limits that are declared to senders and tested. Sizes are in bytes of UTF-8 unless another unit is named. */
export const LIMITS = {
  /** Readings in one batch. */
  batchReadings: 1_000,
  /** One HTTP body or one socket message. */
  bodyBytes: 1_048_576,
  /** Characters of a sensor's name. */
  sensorChars: 64,
  /** Characters of a unit. */
  unitChars: 32,
  /** Characters of a location's label. */
  locationChars: 128,
  /** A reading's value when it is a string. */
  valueStringBytes: 4_096,
  /** A reading's value when it is a JSON object, as serialised. */
  valueObjectBytes: 8_192,
  /** Characters of a batch id. */
  batchIdChars: 64,
  /** How far ahead of our clock a timestamp may be, in milliseconds. */
  futureMs: 86_400_000,
  /** Items of one page. */
  pageItems: 1_000,
  /** Devices of one live subscription. */
  liveDevices: 1_000,
} as const;
