import { Inject, Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram } from 'prom-client';
import { Metrics } from '#platform';
import { Connections } from './link/connections.ts';
import { READING_LOG, type ReadingLog } from './reading-log/reading-log.ts';
import type { WrittenDrain } from './writer/writer.ts';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The figures of the log, the writer and the connections; those of ingestion are in ingest-limits.ts. */
@Injectable()
export class TelemetryMetrics {
  private readonly appendSeconds: Histogram;
  private readonly storeSeconds: Histogram;
  private readonly written: Counter<'outcome'>;
  private readonly dead: Counter;

  constructor(
    @Inject(Metrics) { registry }: Metrics,
    @Inject(READING_LOG) log: ReadingLog,
    @Inject(Connections) connections: Connections,
  ) {
    const registers = [registry];
    this.appendSeconds = new Histogram({
      name: 'fieldline_log_append_seconds',
      help: 'Time until a group of batches was durable on the reading log',
      buckets: SECONDS,
      registers,
    });
    this.storeSeconds = new Histogram({
      name: 'fieldline_store_write_seconds',
      help: 'Time until what the log held was durable in the store',
      buckets: SECONDS,
      registers,
    });
    this.written = new Counter({
      name: 'fieldline_readings_written_total',
      help: 'Readings that left the log: stored, duplicate or conflict',
      labelNames: ['outcome'],
      registers,
    });
    this.dead = new Counter({
      name: 'fieldline_dead_letters_total',
      help: 'Messages of the log that were put aside because nobody could read or store them',
      registers,
    });
    const backlog = new Gauge({
      name: 'fieldline_log_backlog',
      help: 'What the log holds that is not in the store yet',
      labelNames: ['unit'],
      registers,
      collect: async () => {
        const { messages, bytes } = await log.backlog();
        backlog.set({ unit: 'messages' }, messages);
        backlog.set({ unit: 'bytes' }, bytes);
      },
    });
    const living = new Gauge({
      name: 'fieldline_connections',
      help: 'Living connections of devices and viewers',
      registers,
      collect: () => {
        living.set(connections.count);
      },
    });
  }

  /** The log, with the time of every append observed. */
  timeAppends(log: ReadingLog): Pick<ReadingLog, 'append' | 'appendsInFlight'> {
    return {
      appendsInFlight: log.appendsInFlight,
      append: async (body) => {
        const end = this.appendSeconds.startTimer();
        await log.append(body);
        end();
      },
    };
  }

  /** Counts what the writer wrote. */
  countWrite({ stored, duplicate, conflict, dead, ms }: WrittenDrain): void {
    this.storeSeconds.observe(ms / 1000);
    this.written.inc({ outcome: 'stored' }, stored);
    this.written.inc({ outcome: 'duplicate' }, duplicate);
    this.written.inc({ outcome: 'conflict' }, conflict);
    this.dead.inc(dead);
  }
}
