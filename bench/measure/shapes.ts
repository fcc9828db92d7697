import type { SeriesPlan } from '../counting/series-plan.ts';
import type { LoadShape } from './load-runner.ts';

const SOCKETS = 50;
const T0_AGO_MS = 12 * 3_600_000;

/** Single readings, 20 without a receipt on each of 50 connections. */
export const singles = (seconds: number): LoadShape => ({
  sockets: SOCKETS,
  batch: 1,
  inFlight: 20,
  warmupSeconds: 1.5,
  pauseSeconds: 0,
  seconds,
});

/** Batches of 50 readings, 4 without a receipt on each of 50 connections. */
export const batches = (seconds: number): LoadShape => ({ ...singles(seconds), batch: 50, inFlight: 4 });

/** The same batches for a short time, coming out of silence. */
export const burst = (seconds: number): LoadShape => ({ ...batches(seconds), warmupSeconds: 1, pauseSeconds: 3 });

/** At a steady rate, whatever the receipts do. */
export const paced = (shape: LoadShape, messagesPerSecond: number): LoadShape => ({
  ...shape,
  perSecond: messagesPerSecond,
});

/** 4,000 series: 50 devices with 80 sensors each. */
export const manySeries = (now: number): SeriesPlan => ({
  name: 'many',
  devices: 50,
  sensors: 80,
  t0: now - T0_AGO_MS,
});

/** 16 series: 16 devices with one sensor each. */
export const fewSeries = (now: number): SeriesPlan => ({ name: 'few', devices: 16, sensors: 1, t0: now - T0_AGO_MS });
