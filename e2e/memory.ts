import { readFile } from 'node:fs/promises';
import type { House } from './house.ts';

/** Resident bytes of every service of a house of our own, by name; empty for another's, or where there is no /proc. */
export async function memoryOf({ own }: House): Promise<Record<string, number>> {
  const entries = await Promise.all(
    Object.entries(own?.services ?? {}).map(async ([name, { pid }]) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
      return kib === undefined ? [] : [[name, Number(kib) * 1_024] as const];
    }),
  );
  return Object.fromEntries(entries.flat());
}
