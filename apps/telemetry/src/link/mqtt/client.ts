import type { IConnackPacket, Packet } from 'mqtt-packet';
import type { ErrorBody } from '#contracts';
import { MQTT_LIMITS } from './mqtt-limits.ts';
import type { MqttServices } from './mqtt-services.ts';
import {
  CONNECT,
  DISCONNECT,
  decode,
  decodePublish,
  encode,
  packetType,
  PUBLISH,
  type ProtocolVersion,
} from './packet-codec.ts';
import { PacketFrames, type FrameFault } from './packet-frames.ts';
import { connect } from './packets/connect.ts';
import { receive } from './packets/receive.ts';
import { disconnectReason, REASON } from './reason-codes.ts';
import type { Session } from './session.ts';
import type { Wire } from './wire.ts';

/** What came before the answer to a CONNECT and waits for it, in bytes. */
const MOST_EARLY_BYTES = 262_144;
const NOTHING = Buffer.alloc(0);

type Stage = 'new' | 'connecting' | 'open' | 'closed';

/** Why a connection ended. */
export interface Ending {
  /** In words. */
  reason: string;
  /** A reason code of MQTT 5: the client's own, or ours. */
  code: number;
  by: 'client' | 'server';
}

/** The certificate that a client has presented. */
export interface OriginCertificate {
  /** SHA-256, in hexadecimal. */
  readonly fingerprint: string;
  /** In ms since the epoch. */
  readonly validFrom: number;
  readonly validTo: number;
  /** False where there is an authority that has not issued it. */
  readonly isTrusted: boolean;
}

/** Where a client comes from and by what it has shown itself, before it has said a word. */
export interface Origin {
  /** An IP address. */
  readonly address: string;
  readonly certificate?: OriginCertificate;
}

/**
 * One connection of MQTT: cuts what comes in into packets, hands them on, writes packets, and closes. What packets mean is in packets/;
 * what a client that was let in may do is its {@link Session}.
 */
export class MqttClient {
  version: ProtocolVersion = 4;
  clientId = '';
  /** Seconds; 0 for none. */
  keepAlive = 0;
  /** Bytes of the largest packet that the client takes. */
  maximumPacketSize = Number.POSITIVE_INFINITY;
  /** Does the client want to be told why, besides the codes? [MQTT-3.1.2-29] */
  wantsReasons = true;
  session: Session | undefined;
  /** When something last came from it, ms since the epoch. */
  lastHeard: number;
  /** When a connection without a session, or one that only provisions, is closed. */
  closesAt: number;
  private stage: Stage = 'new';
  private readonly frames = new PacketFrames(MQTT_LIMITS.connectBytes);
  private isPaused = false;
  private unsentSince: number | undefined;
  private ending: Ending | undefined;
  private closing: NodeJS.Timeout | undefined;

  constructor(
    readonly wire: Wire,
    readonly origin: Origin,
    readonly services: MqttServices,
    private readonly gone: (client: MqttClient) => void,
  ) {
    this.lastHeard = services.now();
    this.closesAt = this.lastHeard + MQTT_LIMITS.connectMs;
    wire.on({
      bytes: (chunk) => {
        this.hear(chunk);
      },
      drained: () => {
        this.unsentSince = undefined;
        this.updateReading();
      },
      closed: () => {
        this.closed();
      },
    });
  }

  get isOpen(): boolean {
    return this.stage === 'open' && !this.ending;
  }

  get isClosed(): boolean {
    return this.stage === 'closed';
  }

  /** Lets it in: its session begins, and what came meanwhile is taken. */
  open(session: Session, connack: IConnackPacket): void {
    this.stage = 'open';
    this.session = session;
    this.frames.maxBytes = MQTT_LIMITS.packetBytes;
    this.closesAt = Number.POSITIVE_INFINITY;
    this.services.metrics.opened(this.version, this.wire.carrier);
    this.send(connack);
    session.begin();
    this.feed(NOTHING);
    this.updateReading();
  }

  /** Answers a CONNECT that is refused, and closes. */
  refuse(connack: IConnackPacket, reason: string): void {
    if (this.stage === 'closed' || this.ending) return;
    this.ending = { reason, code: connack.reasonCode ?? connack.returnCode ?? 0, by: 'server' };
    this.send(connack);
    this.finish();
  }

  /** Writes a packet. What says more than a code is left out where the packet would be too large for the client. */
  send(packet: Packet): void {
    const bytes = encode(packet, this.version);
    if (bytes.length <= this.maximumPacketSize) this.write(bytes);
    else if ('properties' in packet && packet.properties) this.send({ ...packet, properties: undefined });
  }

  /** Writes bytes of whole packets. */
  write(bytes: Buffer): void {
    if (this.stage === 'closed' || bytes.length === 0) return;
    const unsentBefore = this.wire.unsent;
    this.wire.write(bytes);
    if (this.wire.unsent <= MQTT_LIMITS.unsentPauseBytes) return;
    this.unsentSince ??= this.services.now();
    if (unsentBefore > MQTT_LIMITS.unsentBytes) this.cutOff();
    else this.updateReading();
  }

  /** Ends the connection for an error. */
  close(error: Pick<ErrorBody, 'code' | 'message'>): void {
    this.disconnect(disconnectReason(error), error.message);
  }

  /** Ends the connection, in version 5 with a DISCONNECT that says why. */
  disconnect(reasonCode: number, reason: string): void {
    if (this.stage === 'closed' || this.ending) return;
    this.ending = { reason, code: reasonCode, by: 'server' };
    this.services.metrics.countEnded(reasonCode);
    if (this.stage === 'open' && this.version === 5) {
      this.send({ cmd: 'disconnect', reasonCode, properties: { reasonString: reason } });
    }
    this.finish();
  }

  /** The client has said goodbye [MQTT-3.14.4-2]. */
  goodbye(reasonCode: number): void {
    this.ending ??= { reason: 'The device has disconnected.', code: reasonCode, by: 'client' };
    this.finish();
  }

  /** Looks after what only time tells. */
  check(now: number): void {
    if (this.stage === 'closed') return;
    if (now >= this.closesAt) {
      this.disconnect(
        REASON.keepAliveTimeout,
        this.session ? 'Nothing is left to do here.' : 'No CONNECT came in time.',
      );
    } else if (this.unsentSince !== undefined && now - this.unsentSince > MQTT_LIMITS.unsentMs) {
      this.cutOff();
    } else if (this.isOverdue(now)) {
      this.disconnect(REASON.keepAliveTimeout, `Nothing came within one and a half times ${String(this.keepAlive)} s.`);
    }
  }

  /** Reads on, or stops reading while too much of the client's is not acknowledged, or not taken by it. */
  updateReading(): void {
    const { session } = this;
    if (this.stage !== 'open' || this.ending || !session) return;
    const isFull = session.isFull() || this.wire.unsent > MQTT_LIMITS.unsentPauseBytes;
    if (isFull === this.isPaused) return;
    this.isPaused = isFull;
    if (isFull) {
      this.wire.pause();
    } else {
      this.lastHeard = this.services.now();
      this.wire.resume();
    }
  }

  private hear(chunk: Buffer): void {
    if (this.stage === 'closed' || this.ending) return;
    this.lastHeard = this.services.now();
    if (this.stage === 'connecting') {
      if (this.frames.hold(chunk) > MOST_EARLY_BYTES) {
        this.disconnect(REASON.quotaExceeded, 'Too much came before the CONNACK.');
      }
      return;
    }
    this.feed(chunk);
    this.updateReading();
  }

  /** Does something of which a failure ends this connection, and nothing else. */
  guard(act: () => void): void {
    try {
      act();
    } catch (thrown) {
      this.failed(thrown);
    }
  }

  private feed(chunk: Buffer): void {
    this.guard(() => {
      const fault = this.frames.feed(chunk, this.take);
      if (fault) this.frameFault(fault);
    });
  }

  private readonly take = (bytes: Buffer, start: number, end: number): boolean => {
    const type = packetType(bytes, start);
    if (this.stage !== 'open') this.takeFirst(type, bytes.subarray(start, end));
    else if (type === PUBLISH) this.session?.publish(decodePublish(bytes, start, end, this.version));
    else this.takeOther(type, bytes.subarray(start, end));
    return this.isOpen;
  };

  private takeOther(type: number, frame: Buffer): void {
    // [MQTT-3.1.0-2]
    if (type === CONNECT) this.disconnect(REASON.protocolError, 'A second CONNECT on one connection.');
    else if (type === DISCONNECT && frame.length === 2) this.goodbye(REASON.success);
    else receive(this, decode(frame, this.version));
  }

  private takeFirst(type: number, frame: Buffer): void {
    if (type !== CONNECT) {
      this.disconnect(REASON.protocolError, 'The first packet is not a CONNECT.');
      return;
    }
    this.stage = 'connecting';
    this.wire.pause();
    void connect(this, frame).finally(() => {
      if (!this.isPaused) this.wire.resume();
    });
  }

  private frameFault(fault: FrameFault): void {
    if (fault === 'malformed') this.disconnect(REASON.malformedPacket, 'The remaining length is not valid.');
    else {
      this.disconnect(
        REASON.packetTooLarge,
        `The packet is larger than ${String(this.frames.maxBytes)} bytes: send less in each.`,
      );
    }
  }

  private failed(thrown: unknown): void {
    const isOurs = thrown instanceof Error && 'code' in thrown && thrown.code === 'MALFORMED_PACKET';
    if (!isOurs) this.services.log.error({ err: thrown }, 'a packet could not be worked on');
    this.disconnect(
      isOurs ? REASON.malformedPacket : REASON.implementationSpecific,
      isOurs ? thrown.message : 'Something went wrong on our side; the log has the details.',
    );
  }

  /** [MQTT-3.1.2-22] What we do not read ourselves is not held against the client. */
  private isOverdue(now: number): boolean {
    return (
      this.stage === 'open' && this.keepAlive > 0 && !this.isPaused && now - this.lastHeard > this.keepAlive * 1_500
    );
  }

  private cutOff(): void {
    this.ending ??= { reason: 'The device does not take what it is sent.', code: REASON.quotaExceeded, by: 'server' };
    this.services.metrics.countEnded(REASON.quotaExceeded);
    this.wire.destroy();
  }

  /** Lets our last packet go out, and closes in any case. */
  private finish(): void {
    this.frames.drop();
    this.wire.end();
    this.closing ??= setTimeout(() => {
      this.wire.destroy();
    }, MQTT_LIMITS.closeMs).unref();
    // A paused socket would not see the other end close.
    this.wire.resume();
  }

  private closed(): void {
    if (this.stage === 'closed') return;
    const wasOpen = this.stage === 'open';
    this.stage = 'closed';
    clearTimeout(this.closing);
    this.frames.drop();
    const ending = this.ending ?? { reason: 'The connection was lost.', code: REASON.unspecified, by: 'client' };
    if (wasOpen) this.services.metrics.closed(this.version, this.wire.carrier);
    this.gone(this);
    this.guard(() => this.session?.end(ending));
  }
}
