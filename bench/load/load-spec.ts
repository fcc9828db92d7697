import { z } from 'zod';

const Plan = z.object({ name: z.string(), devices: z.number(), sensors: z.number(), t0: z.number() });

/** What a load process is asked to do; its one argument, as JSON. */
export const LoadSpec = z.object({
  /** Where the namespace `/telemetry` is, or with `mqtt:` where MQTT is. */
  url: z.string(),
  plan: Plan,
  /** Access token of each device. */
  tokens: z.array(z.string()),
  /** Number of the first reading of each device. */
  from: z.array(z.number()),
  /** Connections, spread over the devices in turn. */
  sockets: z.number(),
  /** Readings in one message; a single one is sent without an array around it. */
  batch: z.number(),
  /** Messages without a receipt at a time, on each connection. Not with `perSecond`. */
  inFlight: z.number(),
  /** Messages a second of all connections, at even intervals; without it the next message leaves as soon as a receipt comes. */
  perSecond: z.number().optional(),
  /** Before anything is measured. */
  warmupSeconds: z.number(),
  /** Silence between warming up and measuring. */
  pauseSeconds: z.number(),
  /** Measured. */
  seconds: z.number(),
});
export type LoadSpec = z.output<typeof LoadSpec>;

const RangeList = z.array(z.tuple([z.number(), z.number()]));

/** What a load process prints at its end, as JSON. */
export const LoadResult = z.object({
  /** By device: numbers of the readings that left, and of those with a receipt, warming up included. */
  sent: z.array(RangeList),
  acknowledged: z.array(RangeList),
  /** The measured time and what was acknowledged in it. */
  window: z.object({
    /** ms since the epoch. */
    startedAt: z.number(),
    seconds: z.number(),
    messages: z.number(),
    readings: z.number(),
  }),
  /** From the time a message was due to its receipt, ms. */
  latency: z.object({ p50: z.number(), p99: z.number(), max: z.number() }),
  /** Messages that were refused, by code. */
  refused: z.record(z.string(), z.number()),
  /** Readings that were rejected by their index. */
  rejected: z.number(),
  /** Messages that no answer came for. */
  unanswered: z.number(),
});
export type LoadResult = z.output<typeof LoadResult>;
