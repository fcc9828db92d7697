import type { ReadingInput } from '#contracts';
import type { Trouble } from '../answers.ts';
import type { DeviceCredentials } from './credentials.ts';

/** What a device wants to hear of over its link. */
export type Topic = 'commands' | 'attributes' | 'firmware';

/** Takes what the platform answers: `{ok: true, ...}` or a refusal, as it came. */
export type Answered = (answer: unknown) => void;

/** A command as it came over a link. */
export interface Command {
  /** The same whenever it is delivered again. Over MQTT it is the number. */
  readonly id: string;
  /** Counts the commands of the device. */
  readonly number: number;
  readonly method: string;
  readonly params: unknown;
  /** Milliseconds since the epoch; undefined over MQTT, where it is not told. */
  readonly expiresAt?: number;
}

/** What became of a command. */
export type CommandOutcome = { ok: true; result: unknown } | { ok: false; error: string };

/** Shared attributes that were written and deleted together. */
export interface AttributesChange {
  /** Counts the changes of the device's attributes; undefined where it is not told. */
  readonly version?: number;
  readonly changed: Readonly<Record<string, unknown>>;
  readonly deleted: readonly string[];
}

/** Keys of each scope, or true for all of them. */
export interface WantedAttributes {
  client?: readonly string[] | true;
  shared?: readonly string[] | true;
}

export type FirmwareKind = 'firmware' | 'software';

/** How far a device is with a package. */
export type FirmwareState = 'DOWNLOADING' | 'DOWNLOADED' | 'VERIFIED' | 'UPDATING' | 'UPDATED' | 'FAILED';

/** What a device tells of a package; `title` and `version` are those of the package. */
export interface FirmwareReport {
  readonly kind: FirmwareKind;
  readonly title: string;
  readonly version: string;
  readonly state: FirmwareState;
  /** Bytes that the device has. */
  readonly bytes?: number;
  readonly error?: string;
  /** What runs on the device. */
  readonly current: { readonly title: string; readonly version: string };
}

/** Why a link ended, or why there is none. */
export interface Closing {
  /** In words. */
  readonly reason: string;
  /** What the platform said, if it did. */
  readonly trouble?: Trouble;
}

/** What a link tells. */
export interface TransportListener {
  opened(): void;
  /** The link ended, or could not be made: once for each `open`. A link that `close` called off before it was open says nothing. */
  closed(closing: Closing): void;
  /** The token ends soon. */
  expiring(): void;
  /** `reply` answers over this link at once, where the transport has such a way; false when the link is gone. */
  command(command: Command, reply?: (outcome: CommandOutcome) => boolean): void;
  attributes(change: AttributesChange): void;
}

/** What a living link can take. */
export interface LinkBounds {
  /** Bytes of JSON in one batch. */
  readonly batchBytes: number;
  /** Batches without an answer. */
  readonly inFlight: number;
  /** Batches without an answer in time, in a row, after which the link is taken for dead. */
  readonly deadAfter: number;
}

/**
 * One link to the platform at a time, over whatever it is. It makes no attempt by itself; when to open the next is the connection's to
 * say. What is sent over a link that has ended is never answered.
 */
export interface Transport {
  /** Those of the link that is open, or was last. */
  readonly bounds: LinkBounds;
  open(credentials: DeviceCredentials): void;
  /** Ends the link; one on which nothing comes back (`dead`) is not taken leave of. */
  close(dead?: boolean): void;
  /** What is listened to from now on, over this link and those to come. */
  listen(topics: ReadonlySet<Topic>): void;
  /** Gives the living link a new token; false where that takes a new link. */
  renew(token: string, answered: Answered): boolean;
  sendReadings(readings: readonly ReadingInput[], batchId: string, answered: Answered): void;
  /** Tells that the device has a command whose answer takes longer. */
  confirmCommand(command: Command): void;
  answerCommand(command: Command, outcome: CommandOutcome, answered: Answered): void;
  reportAttributes(attributes: Readonly<Record<string, unknown>>, answered: Answered): void;
  getAttributes(wanted: WantedAttributes, answered: Answered): void;
  reportFirmware(report: FirmwareReport, answered: Answered): void;
  /**
   * The bytes of the assigned package from `offset` on, in order. Ends early when the signal comes; throws when the link is lost, or a
   * coded error when the platform refuses.
   */
  loadFirmware(kind: FirmwareKind, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
