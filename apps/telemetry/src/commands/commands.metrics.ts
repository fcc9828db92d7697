import { Inject, Injectable } from '@nestjs/common';
import { Counter, Gauge } from 'prom-client';
import type { CommandStatus } from '#contracts';
import { Metrics } from '#platform';
import { DeviceLinks } from '../link/device-links.ts';

/** The figures of links and of commands. */
@Injectable()
export class CommandMetrics {
  private readonly outcomes: Counter<'outcome'>;

  constructor(@Inject(Metrics) { registry }: Metrics, @Inject(DeviceLinks) links: DeviceLinks) {
    this.outcomes = new Counter({
      name: 'fieldline_commands_total',
      help: 'Commands that ended, by the status that they ended in; offline: those that nobody was there for',
      labelNames: ['outcome'],
      registers: [registry],
    });
    const linked = new Gauge({
      name: 'fieldline_linked_devices',
      help: 'Devices that are linked to this replica',
      registers: [registry],
      collect: () => {
        linked.set(links.count);
      },
    });
  }

  ended(outcome: CommandStatus | 'offline'): void {
    this.outcomes.inc({ outcome });
  }
}
