import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadSpec } from './load-spec.ts';
import type { Senders } from './senders.ts';

/** What was acknowledged in a stretch of load. */
export interface Phase {
  /** ms since the epoch. */
  startedAt: number;
  seconds: number;
  messages: number;
  /** ms */
  latencies: number[];
}

/** Loads for so many seconds, then sends no more; what is acknowledged after that is not part of it. */
export async function loadFor(seconds: number, spec: LoadSpec, senders: Senders): Promise<Phase> {
  const startedAt = Date.now();
  const start = performance.now();
  const phase: Phase = { startedAt, seconds: 0, messages: 0, latencies: [] };
  const run = { isOver: false };
  const acknowledged = (dueAt: number) => {
    if (run.isOver) return;
    phase.messages += 1;
    phase.latencies.push(performance.now() - dueAt);
  };
  if (spec.perSecond === undefined) sendOnReceipts(spec, senders, run, acknowledged);
  else sendByTheClock(spec.perSecond, spec, senders, run, acknowledged);
  await sleep(seconds * 1_000);
  run.isOver = true;
  phase.seconds = (performance.now() - start) / 1_000;
  return phase;
}

/** Closed loop: each connection keeps `inFlight` messages under way. */
function sendOnReceipts(
  spec: LoadSpec,
  senders: Senders,
  run: { isOver: boolean },
  acknowledged: (at: number) => void,
) {
  const sendNext = (socket: number): void => {
    if (run.isOver) return;
    const dueAt = performance.now();
    senders.send(socket, (how) => {
      if (how.ok) {
        acknowledged(dueAt);
        sendNext(socket);
      } else {
        setTimeout(() => sendNext(socket), how.retryAfterMs);
      }
    });
  };
  for (let i = 0; i < spec.inFlight; i += 1) for (let socket = 0; socket < spec.sockets; socket += 1) sendNext(socket);
}

/**
 * Open loop: message k is due k / perSecond after the start, whatever became of those before; one that leaves late has waited
 * since it was due.
 */
function sendByTheClock(
  perSecond: number,
  spec: LoadSpec,
  senders: Senders,
  run: { isOver: boolean },
  acknowledged: (dueAt: number) => void,
): void {
  const start = performance.now();
  let next = 0;
  const sendDue = (): void => {
    if (run.isOver) return;
    for (let dueAt = start; (dueAt = start + (next * 1_000) / perSecond) <= performance.now(); next += 1) {
      senders.send(next % spec.sockets, (how) => {
        if (how.ok) acknowledged(dueAt);
      });
    }
    setTimeout(sendDue, 1);
  };
  sendDue();
}
