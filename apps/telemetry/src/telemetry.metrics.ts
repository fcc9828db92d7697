import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Counter, Gauge, Histogram } from 'prom-client';
import { Metrics } from '#platform';
import { Connections } from './link/connections.ts';
import { READING_LOG, type ReadingLog } from './reading-log/reading-log.ts';
import { ReadingWriter } from './writer/writer.ts';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The figures of the log, the writer and the connections; those of ingestion are in ingest-limits.ts. */
@Injectable()
export class TelemetryMetrics {
  private readonly appendSeconds: Histogram;

  constructor(@Inject(Metrics) metrics: Metrics) {
    this.appendSeconds = new Histogram({
      name: 'fieldline_log_append_seconds',
      help: 'Time until a group of batches was durable on the reading log',
      buckets: SECONDS,
      registers: [metrics.registry],
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
}
