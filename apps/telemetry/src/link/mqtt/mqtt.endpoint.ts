import { Inject, Injectable } from '@nestjs/common';
import { Authenticator } from '#access';
import { BUS, Events, type Bus, type Unsubscribe } from '#messaging';
import { CLOCK, LOGGER, toCoded, type Log } from '#platform';
import { IngestLimits } from '../../ingest/ingest-limits.ts';
import { Ingest } from '../../ingest/ingest.ts';
import { readingsHandler } from '../../ingest/mqtt/readings.handler.ts';
import { Presence } from '../../presence/presence.service.ts';
import { Connections } from '../connections.ts';
import { DeviceLinks } from '../device-links.ts';
import { MqttClient, type Origin } from './client.ts';
import { KeptWills } from './kept-wills.ts';
import type { ConnectionNote, MqttServices } from './mqtt-services.ts';
import { MqttMetrics } from './mqtt.metrics.ts';
import { answerPing } from './own-topics.ts';
import { REASON } from './reason-codes.ts';
import { Relay } from './relay.ts';
import { MQTT_HANDLERS, type DeviceApiHandlers } from './topics.ts';
import type { Wire } from './wire.ts';

/** How often clients are looked after, in ms. */
const CHECK_MS = 500;
/** How long what is in flight may take at the end, in ms. */
const LAST_MS = 2_000;
const LOOK_MS = 20;

/** Every MQTT connection of this replica, from whatever listener. */
@Injectable()
export class MqttEndpoint {
  private readonly clients = new Set<MqttClient>();
  private readonly services: MqttServices;
  private readonly wills: KeptWills;
  private readonly unsubscribe: Unsubscribe;
  private checking: NodeJS.Timeout | undefined;

  constructor(
    @Inject(Authenticator) authenticator: Authenticator,
    @Inject(Connections) connections: Connections,
    @Inject(DeviceLinks) links: DeviceLinks,
    @Inject(Presence) presence: Presence,
    @Inject(Ingest) ingest: Ingest,
    @Inject(IngestLimits) limits: IngestLimits,
    @Inject(Relay) relay: Relay,
    @Inject(MQTT_HANDLERS) { provision, ...handlers }: DeviceApiHandlers,
    @Inject(MqttMetrics) metrics: MqttMetrics,
    @Inject(BUS) bus: Bus,
    @Inject(Events) events: Events,
    @Inject(LOGGER) log: Log,
    @Inject(CLOCK) now: () => number,
  ) {
    const note = (deviceId: string, given: ConnectionNote): void => {
      presence.note(deviceId, given);
    };
    this.unsubscribe = events.on('registry.device.changed', ({ change, device }) => {
      if (change === 'created') return;
      for (const { session } of this.clients) session?.role.changed(device);
    });
    this.wills = new KeptWills(bus, note);
    this.services = {
      authenticator,
      connections,
      links,
      handlers: {
        ...handlers,
        readings: readingsHandler(ingest, limits),
        ping: answerPing,
        relay: (link, message) => relay.take(link, message),
      },
      provision,
      isPair: (principal, otherId) => relay.isPair(principal, otherId),
      count: (principal) => {
        limits.take(principal);
      },
      note,
      keepWill: (deviceId, will, delaySeconds) => {
        this.wills.keep(deviceId, will, delaySeconds);
      },
      budget: { bytes: 0 },
      metrics,
      log,
      now,
    };
  }

  get count(): number {
    return this.clients.size;
  }

  start(): void {
    this.checking = setInterval(() => {
      const now = this.services.now();
      for (const client of this.clients) this.check(client, now);
    }, CHECK_MS).unref();
  }

  /** Takes a connection in. */
  accept(wire: Wire, origin: Origin): void {
    const client = new MqttClient(wire, origin, this.services, (gone) => {
      this.clients.delete(gone);
    });
    this.clients.add(client);
  }

  /** Lets what is in flight be acknowledged, then ends every connection. */
  async stop(): Promise<void> {
    clearInterval(this.checking);
    this.unsubscribe();
    this.wills.stop();
    const deadline = Date.now() + LAST_MS;
    for (const client of this.clients) client.wire.pause();
    while ([...this.clients].some(({ session }) => (session?.unacknowledged ?? 0) > 0) && Date.now() < deadline)
      await soon();
    for (const client of this.clients)
      client.disconnect(REASON.serverShuttingDown, 'This replica is shutting down: connect again.');
    while (this.clients.size > 0 && Date.now() < deadline + LAST_MS) await soon();
    for (const client of this.clients) client.wire.destroy();
  }

  private check(client: MqttClient, now: number): void {
    try {
      client.check(now);
    } catch (thrown) {
      this.services.log.error({ err: toCoded(thrown) }, 'a client could not be looked after');
    }
  }
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));
