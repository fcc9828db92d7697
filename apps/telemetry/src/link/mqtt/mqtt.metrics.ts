import { Inject, Injectable } from '@nestjs/common';
import { Counter, Gauge } from 'prom-client';
import { Metrics } from '#platform';

/** What became of a publish. */
export type PublishOutcome = 'acknowledged' | 'refused' | 'held';

/** The figures of the MQTT endpoint. Publishes are counted here and handed over when they are asked for: there are many. */
@Injectable()
export class MqttMetrics {
  private readonly publishes: Record<PublishOutcome, number> = { acknowledged: 0, refused: 0, held: 0 };
  private readonly links: Gauge<'version' | 'carrier'>;
  private readonly refusedConnects: Counter<'code'>;
  private readonly ended: Counter<'reason'>;

  constructor(@Inject(Metrics) { registry }: Metrics) {
    const registers = [registry];
    this.links = new Gauge({
      name: 'fieldline_mqtt_connections',
      help: 'MQTT connections that are open',
      labelNames: ['version', 'carrier'],
      registers,
    });
    this.refusedConnects = new Counter({
      name: 'fieldline_mqtt_refused_connects_total',
      help: 'Connections that were refused, by the code of the refusal',
      labelNames: ['code'],
      registers,
    });
    this.ended = new Counter({
      name: 'fieldline_mqtt_ended_total',
      help: 'Connections that we ended, by reason code of MQTT 5',
      labelNames: ['reason'],
      registers,
    });
    const publishes = new Counter({
      name: 'fieldline_mqtt_publishes_total',
      help: 'Messages of devices: acknowledged or refused, and how often one was held back',
      labelNames: ['outcome'],
      registers,
      collect: () => {
        for (const outcome of ['acknowledged', 'refused', 'held'] as const) {
          publishes.inc({ outcome }, this.publishes[outcome]);
          this.publishes[outcome] = 0;
        }
      },
    });
  }

  countPublishes(outcome: PublishOutcome, count: number): void {
    this.publishes[outcome] += count;
  }

  countRefusedConnect(code: string): void {
    this.refusedConnects.inc({ code });
  }

  countEnded(reason: number): void {
    this.ended.inc({ reason: `0x${reason.toString(16)}` });
  }

  opened(version: number, carrier: string): void {
    this.links.inc({ version, carrier });
  }

  closed(version: number, carrier: string): void {
    this.links.dec({ version, carrier });
  }
}
