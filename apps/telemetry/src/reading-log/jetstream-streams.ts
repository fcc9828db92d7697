import {
  AckPolicy,
  DiscardPolicy,
  JetStreamApiError,
  JetStreamError,
  RetentionPolicy,
  StorageType,
  type ConsumerInfo,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';

/** As the server answers requests of its API, and direct reads of messages (NATS ADR-31). */
const NOT_FOUND = 404;

export const STREAM = 'READINGS';
export const DEAD_STREAM = 'READINGS_DEAD';
export const CONSUMER = 'store-writer';
/** Readings of one partition; there is one as long as one is enough. */
export const SUBJECT = 'readings.0';
export const DEAD_SUBJECT = 'readings-dead';

/** Messages that may be with writers, of all replicas together. */
const MAX_ACK_PENDING = 50_000;
/** nats-server's errors.json: JSConsumerAlreadyExists. */
const ERR_CONSUMER_EXISTS = 10_148;

export interface StreamLimits {
  maxBytes: number;
  replicas: number;
  /** A writer that is silent for this long has died. */
  ackWaitMs: number;
}

/** Identity of the stream, and the last message below which all are acknowledged. */
export interface StreamIdentity {
  id: string;
  floor: number;
}

/**
 * Makes the streams and the consumer where they are missing. With interest retention a message that no consumer waits for is
 * dropped at once, so the stream begins with limits retention, and changes over when its consumer is there: no append of
 * another replica falls between the two.
 */
export async function ensureStreams(jsm: JetStreamManager, limits: StreamLimits): Promise<StreamIdentity> {
  if (!(await infoOf(jsm, STREAM))) await addOrAdopt(jsm, RetentionPolicy.Limits, limits);
  const consumer = await ensureConsumer(jsm, limits);
  const info = await jsm.streams.info(STREAM);
  if (!isAsWanted(info, limits)) await jsm.streams.update(STREAM, wanted(RetentionPolicy.Interest, limits));
  if (!(await infoOf(jsm, DEAD_STREAM))) await addDeadStream(jsm, limits);
  return { id: `${STREAM} ${info.created}`, floor: consumer.ack_floor.stream_seq };
}

async function ensureConsumer(jsm: JetStreamManager, { ackWaitMs }: StreamLimits): Promise<ConsumerInfo> {
  const config = { ack_wait: nanos(ackWaitMs), max_ack_pending: MAX_ACK_PENDING };
  try {
    return await jsm.consumers.add(STREAM, { durable_name: CONSUMER, ack_policy: AckPolicy.Explicit, ...config });
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== ERR_CONSUMER_EXISTS) throw error;
    return jsm.consumers.update(STREAM, CONSUMER, config);
  }
}

export function isNotFound(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.status === NOT_FOUND;
  return error instanceof JetStreamError && 'code' in error && error.code === NOT_FOUND;
}

async function infoOf(jsm: JetStreamManager, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(stream);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function addOrAdopt(jsm: JetStreamManager, retention: RetentionPolicy, limits: StreamLimits): Promise<void> {
  try {
    await jsm.streams.add({ name: STREAM, ...wanted(retention, limits) });
  } catch (error) {
    if (!(await infoOf(jsm, STREAM))) throw error;
  }
}

async function addDeadStream(jsm: JetStreamManager, { replicas }: StreamLimits): Promise<void> {
  try {
    await jsm.streams.add({
      name: DEAD_STREAM,
      subjects: [DEAD_SUBJECT],
      storage: StorageType.File,
      num_replicas: replicas,
      allow_direct: true,
    });
  } catch (error) {
    if (!(await infoOf(jsm, DEAD_STREAM))) throw error;
  }
}

function wanted(retention: RetentionPolicy, { maxBytes, replicas }: StreamLimits) {
  return {
    subjects: ['readings.*'],
    storage: StorageType.File,
    retention,
    discard: DiscardPolicy.New,
    max_bytes: maxBytes,
    num_replicas: replicas,
    allow_direct: true,
  };
}

function isAsWanted({ config }: StreamInfo, { maxBytes, replicas }: StreamLimits): boolean {
  return (
    config.retention === RetentionPolicy.Interest &&
    config.discard === DiscardPolicy.New &&
    config.max_bytes === maxBytes &&
    config.num_replicas === replicas
  );
}
