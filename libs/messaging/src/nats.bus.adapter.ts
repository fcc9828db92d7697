import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Log } from '#platform';
import type { Bus, Unsubscribe } from './bus.ts';
import { natsOptions } from './nats-options.ts';

/** The bus of replicated services: core NATS. */
export class NatsBus implements Bus {
  private connection: NatsConnection | undefined;
  private up = false;
  private readonly reconnectListeners: (() => void)[] = [];

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly log: Log,
  ) {}

  get connected(): boolean {
    return this.up;
  }

  async start(): Promise<void> {
    const patience = setTimeout(() => {
      this.log.warn('waiting for NATS');
    }, 2_000);
    this.connection = await connect(natsOptions(this.url, this.name));
    clearTimeout(patience);
    this.up = true;
    void this.watch(this.connection);
  }

  async stop(): Promise<void> {
    await this.connection?.drain();
  }

  reaches(): boolean {
    return this.up;
  }

  publish(subject: string, payload: string): void {
    if (this.up) this.connection?.publish(subject, payload);
  }

  subscribe(pattern: string, hear: (payload: string, subject: string) => void): Unsubscribe {
    if (!this.connection) throw new Error('the bus is not started');
    const subscription = this.connection.subscribe(pattern, {
      callback: (error, message) => {
        if (error) {
          this.log.error({ err: error, subject: pattern }, 'a subscription failed');
          return;
        }
        try {
          hear(message.string(), message.subject);
        } catch (failure) {
          this.log.error({ err: failure, subject: message.subject }, 'a listener failed');
        }
      },
    });
    return () => {
      subscription.unsubscribe();
    };
  }

  onReconnect(again: () => void): void {
    this.reconnectListeners.push(again);
  }

  private async watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        this.up = false;
        this.log.warn('NATS is away');
      }
      if (status.type === 'reconnect') {
        this.up = true;
        this.log.info('NATS is back');
        for (const again of this.reconnectListeners) again();
      }
    }
  }
}
