import { readFile } from 'node:fs/promises';

const LINE = /^(VmRSS|VmHWM):\s+(\d+) kB$/gm;

/** Resident memory of processes in MiB, now and at its highest; zeros where there is no /proc. */
export async function memoryOf(pids: readonly number[]): Promise<{ now: number; highest: number }> {
  const statuses = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')));
  const sum = (name: string) =>
    statuses
      .flatMap((status) => [...status.matchAll(LINE)])
      .filter((match) => match[1] === name)
      .reduce((total, match) => total + Number(match[2]) / 1_024, 0);
  return { now: sum('VmRSS'), highest: sum('VmHWM') };
}
