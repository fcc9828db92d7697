import type { CodedError } from '#contracts';
import type { Acknowledgement, Published } from './topic-handler.ts';
import type { FoundTopic } from './topics.ts';

export type MessageState = 'waiting' | 'working' | 'done';

/** What the fixed and the variable header of a PUBLISH say. */
export interface PublishHeader {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
  readonly topicAlias: number | undefined;
  readonly userProperties: Readonly<Record<string, string | readonly string[]>>;
}

const NO_LEVELS: readonly string[] = [];

/** A message of a client, from when it comes in until it is acknowledged. One object, and no copy of its payload: there are many. */
export class InboundMessage implements Published, PublishHeader {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly packetId: number;
  readonly topicAlias: number | undefined;
  readonly userProperties: Readonly<Record<string, string | readonly string[]>>;
  /** Undefined for one that is refused. */
  found: FoundTopic | undefined;
  state: MessageState = 'waiting';
  answer: Acknowledgement | undefined;
  refusal: CodedError | undefined;
  /** Was it counted by the rate limit? */
  counted = false;

  /** The payload is in `bytes`, from `start` to `end`. */
  constructor(
    header: PublishHeader,
    private readonly bytes: Buffer,
    private readonly start: number,
    private readonly end: number,
  ) {
    this.topic = header.topic;
    this.qos = header.qos;
    this.retain = header.retain;
    this.packetId = header.packetId;
    this.topicAlias = header.topicAlias;
    this.userProperties = header.userProperties;
  }

  get levels(): readonly string[] {
    return this.found?.levels ?? NO_LEVELS;
  }

  get payload(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }

  get text(): string {
    return this.bytes.toString('utf8', this.start, this.end);
  }

  /** Bytes of the payload. */
  get size(): number {
    return this.end - this.start;
  }
}
