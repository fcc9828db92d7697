import { CodedError, type DeviceRef } from '#contracts';
import type { Ending, MqttClient } from './client.ts';
import { MQTT_LIMITS } from './mqtt-limits.ts';
import type { InboundMessage } from './inbound-message.ts';
import { InboundMessages } from './inbound-messages.ts';
import { OutboundMessages } from './outbound-messages.ts';
import { ACKNOWLEDGEMENT_BYTES, acknowledgementOf, writeAcknowledgement } from './packet-codec.ts';
import { faultOfPublish } from './packets/publish.ts';
import { publishReason, REASON } from './reason-codes.ts';
import { Subscriptions } from './subscriptions.ts';
import type { Acknowledgement, Begun } from './topic-handler.ts';
import { findTopic, type FoundTopic } from './topics.ts';

/** What a client that was let in is to us. */
export interface Role {
  /** For logs. */
  readonly name: string;
  begin(): void;
  end(ending: Ending): void;
  mayPublish(found: FoundTopic): boolean;
  maySubscribe(found: FoundTopic): boolean | Promise<boolean>;
  subscribed(found: FoundTopic, filter: string): void;
  unsubscribed(found: FoundTopic): void;
  /** Takes one message from what it may send. Throws `RATE_LIMITED`. */
  count(): void;
  handle(message: InboundMessage): Begun | Promise<Acknowledgement | void>;
  /** A publish, or a filter, was refused. */
  refused(reason: string, topic: string): void;
  /** The registry has changed what it knows of a device. */
  changed(device: DeviceRef): void;
}

const NOT_ALLOWED = new CodedError(
  'TOPIC_NOT_ALLOWED',
  'The device may not publish on this topic: see the table of topics.',
);

/** What goes on between a client that was let in and us: its messages, ours, and what it has subscribed to. */
export class Session {
  readonly subscriptions = new Subscriptions();
  readonly outbound: OutboundMessages;
  private readonly inbound: InboundMessages;
  /** Identifiers of QoS 2 that are in use: their messages are not taken a second time [MQTT-4.3.3-10]. */
  private readonly exactlyOnce = new Map<number, 'working' | 'received'>();
  /** How many of them were received, and are not released yet. */
  private received = 0;
  private lastFound: FoundTopic | undefined;
  private lastTopic: string | undefined;

  constructor(
    private readonly client: MqttClient,
    readonly role: Role,
    receiveMaximum: number,
  ) {
    const { version, maximumPacketSize } = client;
    this.outbound = new OutboundMessages(
      { version, maximumPacketSize, receiveMaximum },
      (bytes) => {
        client.write(bytes);
      },
      () => {
        client.disconnect(REASON.quotaExceeded, 'Too many messages wait for the device to take them.');
      },
    );
    this.inbound = new InboundMessages(
      {
        handle: (message) => role.handle(message),
        count: () => {
          role.count();
        },
        acknowledge: (messages) => {
          client.guard(() => {
            this.acknowledge(messages);
          });
        },
        held: () => {
          client.services.metrics.countPublishes('held', 1);
        },
      },
      client.services.budget,
    );
  }

  begin(): void {
    this.role.begin();
  }

  end(ending: Ending): void {
    this.inbound.end();
    this.outbound.end(new CodedError('DEVICE_OFFLINE', 'The device’s link has ended.'));
    this.role.end(ending);
  }

  /** Is so much unacknowledged that nothing more should be read? */
  isFull(): boolean {
    const { bytes } = this.client.services.budget;
    const most = bytes > MQTT_LIMITS.allUnacknowledgedBytes ? MQTT_LIMITS.fairBytes : MQTT_LIMITS.unacknowledgedBytes;
    return this.inbound.count >= MQTT_LIMITS.unacknowledged || this.inbound.bytes >= most;
  }

  get unacknowledged(): number {
    return this.inbound.count;
  }

  /** Takes a PUBLISH in. */
  publish(message: InboundMessage): void {
    const { client } = this;
    const fault = faultOfPublish(message, {
      version: client.version,
      isKnown: message.topic === this.lastTopic,
      inFlight: this.inFlight,
      receiveMaximum: MQTT_LIMITS.receiveMaximum,
    });
    if (fault) client.disconnect(fault.reasonCode, fault.reason);
    else if (message.qos < 2 || !this.isRepeated(message)) this.add(message);
  }

  /** PUBREL: the identifier may be used again. False if it was not in use. */
  release(packetId: number): boolean {
    if (this.exactlyOnce.get(packetId) !== 'received') return false;
    this.received -= 1;
    return this.exactlyOnce.delete(packetId);
  }

  private add(message: InboundMessage): void {
    const found = this.find(message.topic);
    if (found && this.role.mayPublish(found)) message.found = found;
    else message.refusal = NOT_ALLOWED;
    this.inbound.add(message);
  }

  /** One that was received is answered again; for one that is being worked on, the answer is on its way. */
  private isRepeated({ packetId }: InboundMessage): boolean {
    const state = this.exactlyOnce.get(packetId);
    if (state === undefined) this.exactlyOnce.set(packetId, 'working');
    if (state === 'received') this.client.write(acknowledgementOf('pubrec', packetId));
    return state !== undefined;
  }

  private find(topic: string): FoundTopic | undefined {
    if (topic !== this.lastTopic) {
      this.lastFound = findTopic(topic);
      this.lastTopic = topic;
    }
    return this.lastFound;
  }

  /** Messages of QoS 1 and 2 that the client has to keep still. */
  private get inFlight(): number {
    return this.inbound.numbered + this.received;
  }

  private acknowledge(messages: readonly InboundMessage[]): void {
    const bytes = Buffer.allocUnsafe(messages.length * ACKNOWLEDGEMENT_BYTES);
    let written = 0;
    let flushed = 0;
    let acknowledged = 0;
    for (const message of messages) {
      const { refusal, answer } = message;
      if (refusal) {
        this.client.write(bytes.subarray(flushed, written));
        flushed = written;
        this.refuse(message, refusal);
        if (!this.client.isOpen) return;
        continue;
      }
      acknowledged += 1;
      if (message.qos === 0) continue;
      if (message.qos === 2) this.receive(message.packetId, answer?.reasonCode ?? REASON.success);
      if (answer) {
        this.client.write(bytes.subarray(flushed, written));
        flushed = written;
        this.answer(message, answer);
        continue;
      }
      writeAcknowledgement(bytes, written, message.qos === 1 ? 'puback' : 'pubrec', message.packetId);
      written += ACKNOWLEDGEMENT_BYTES;
    }
    this.client.write(bytes.subarray(flushed, written));
    this.client.services.metrics.countPublishes('acknowledged', acknowledged);
    this.client.updateReading();
  }

  /** A PUBREC that refuses ends the exchange: no PUBREL follows [MQTT-4.3.3-9]. */
  private receive(packetId: number, reasonCode: number): void {
    if (reasonCode >= REASON.unspecified) {
      this.exactlyOnce.delete(packetId);
      return;
    }
    this.exactlyOnce.set(packetId, 'received');
    this.received += 1;
  }

  private answer({ qos, packetId }: InboundMessage, { reasonCode, userProperties }: Acknowledgement): void {
    const tells = this.client.version === 5 && this.client.wantsReasons && userProperties;
    this.client.send({
      cmd: qos === 1 ? 'puback' : 'pubrec',
      messageId: packetId,
      reasonCode: reasonCode ?? REASON.success,
      ...(tells ? { properties: { userProperties } } : {}),
    });
  }

  /** In version 5 the acknowledgement says why; before, and at QoS 0, there is nothing to say it with but the end of the connection. */
  private refuse({ qos, packetId, topic }: InboundMessage, refusal: CodedError): void {
    const { client } = this;
    const reasonCode = publishReason(refusal);
    this.exactlyOnce.delete(packetId);
    client.services.metrics.countPublishes('refused', 1);
    this.role.refused(`${refusal.code}: ${refusal.message}`, topic);
    if (client.version !== 5 || qos === 0) {
      client.disconnect(reasonCode, refusal.message);
      return;
    }
    client.send({
      cmd: qos === 1 ? 'puback' : 'pubrec',
      messageId: packetId,
      reasonCode,
      ...(client.wantsReasons ? { properties: { reasonString: refusal.message } } : {}),
    });
  }
}
