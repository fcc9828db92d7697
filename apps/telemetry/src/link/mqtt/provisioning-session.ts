import { CodedError } from '#contracts';
import type { MqttClient } from './client.ts';
import type { InboundMessage } from './inbound-message.ts';
import type { Role, Session } from './session.ts';
import type { ProvisioningClient } from './topic-handler.ts';
import type { FoundTopic } from './topics.ts';

/** How long somebody who only provisions may stay, from the CONNECT and again from each answer, in ms. */
export const PROVISIONING_MS = 60_000;

/** Somebody who was let in to provision a device and may do nothing else. */
export class ProvisioningSession implements Role, ProvisioningClient {
  readonly name = 'somebody who provisions a device';
  private session: Session | undefined;

  constructor(private readonly client: MqttClient) {}

  attach(session: Session): void {
    this.session = session;
  }

  get address(): string {
    return this.client.origin.address;
  }

  async send(topic: string, payload: Buffer | string): Promise<void> {
    await this.session?.outbound.send(topic, payload, this.session.subscriptions.matching(topic)?.qos ?? 0);
  }

  begin(): void {
    this.stay();
  }

  end(): void {
    this.client.services.log.info({ address: this.address }, 'MQTT: somebody who provisioned has disconnected');
  }

  mayPublish({ rule }: FoundTopic): boolean {
    return rule.publish === 'provisioning';
  }

  maySubscribe({ rule }: FoundTopic): boolean {
    return rule.subscribe === 'provisioning';
  }

  subscribed(): void {
    // The answer goes out either way.
  }

  unsubscribed(): void {
    // Likewise.
  }

  count(): void {
    // Provisioning has limits of its own, by address.
  }

  async handle({ payload }: InboundMessage): Promise<void> {
    const { provision } = this.client.services;
    if (!provision) throw new CodedError('TOPIC_NOT_ALLOWED', 'Devices cannot provision themselves here.');
    await provision(this, payload);
    this.stay();
  }

  refused(reason: string, topic: string): void {
    this.client.services.log.info({ address: this.address, topic: topic.slice(0, 256), reason }, 'MQTT: refused');
  }

  changed(): void {
    // There is no device yet.
  }

  private stay(): void {
    this.client.closesAt = this.client.services.now() + PROVISIONING_MS;
  }
}
