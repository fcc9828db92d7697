import type { DevicePrincipal } from '#contracts';

/** What the handler of a topic sees of the MQTT session that published on it. */
export interface MqttLink {
  readonly principal: DevicePrincipal;
  /** Where the client comes from, an IP address. */
  readonly address: string;
  /** 3 for MQTT 3.1, 4 for 3.1.1, 5. */
  readonly version: 3 | 4 | 5;
  readonly ended: boolean;
  /** Aborted when the session ends. */
  readonly signal: AbortSignal;
  /** What handlers keep with the session; gone with it. */
  readonly kept: Map<symbol, unknown>;
  /** Has the client subscribed to a filter that matches? */
  isSubscribed(topic: string): boolean;
  /**
   * Sends a message with the QoS of the client's first filter that matches, QoS 1 if none does. Resolves once the client has it (its
   * PUBACK; at QoS 0, once it is written); rejects if it refuses it, or when the session ends before.
   */
  send(topic: string, payload: Buffer | string): Promise<void>;
}

/** A message as a device published it. */
export interface Published {
  readonly topic: string;
  /** What stands for each `+` or `{name}` of the table's pattern, in order. */
  readonly levels: readonly string[];
  readonly payload: Buffer;
  /** The payload as UTF-8; whatever is none in it is U+FFFD. */
  readonly text: string;
  readonly qos: 0 | 1 | 2;
  /** User properties of version 5. */
  readonly userProperties: Readonly<Record<string, string | readonly string[]>>;
}

/** What version 5 can be told with the acknowledgement. */
export interface Acknowledgement {
  /** Of PUBACK and PUBREC; success if absent. From 0x80 on it was refused, though nothing ends for it before version 5. */
  reasonCode?: number;
  userProperties?: Record<string, string>;
}

/** A message that was taken in, and whose acknowledgement may go out once it is durable: messages may share the promise. */
export interface Begun {
  readonly durable: Promise<void>;
  readonly answer: Acknowledgement | undefined;
}

/**
 * Takes what was published on a topic; the acknowledgement (PUBACK, PUBREC) goes out once it resolves, so not before everything in it is
 * durable. Throws a coded error: `BUSY`, `RATE_LIMITED` and `UNAVAILABLE` hold the acknowledgement back and it is tried again; others
 * refuse the publish, see reason-codes.ts.
 */
export type TopicHandler = (link: MqttLink, message: Published) => Begun | Promise<Acknowledgement | void>;

/** Somebody who may do nothing but provision a device: there is none yet that it could be. */
export interface ProvisioningClient {
  /** Where it comes from, an IP address. */
  readonly address: string;
  /** Sends a message; resolves once it is written. */
  send(topic: string, payload: Buffer | string): Promise<void>;
}

/** Takes a `/provision/request`; the answer goes out on `/provision/response` by `send`. Throws a coded error, as {@link TopicHandler}. */
export type ProvisioningHandler = (client: ProvisioningClient, payload: Buffer) => Promise<void>;
