import { z } from 'zod';
import { waitUntil } from '#testing';
import { read, type Visitor } from './visitor.ts';

/** A reading as a device sends it. */
export interface Sent {
  sensor: string;
  ts: number;
  value: unknown;
  unit?: string;
  location?: unknown;
}

const Ledger = z.object({
  received: z.number(),
  stored: z.number(),
  duplicate: z.number(),
  conflict: z.number(),
  rejected: z.number(),
  queued: z.number(),
});
type Ledger = z.output<typeof Ledger>;

const Stored = z.object({ sensor: z.string(), ts: z.number(), value: z.unknown(), receivedAt: z.number() });
const Page = z.object({ items: z.array(Stored), nextCursor: z.string().nullable() });

/** What a receipt says of the readings of a batch. */
export const Receipt = z.object({
  ok: z.literal(true),
  batchId: z.string(),
  accepted: z.number(),
  rejected: z.array(z.object({ index: z.number(), code: z.string(), message: z.string() })),
});

/** `count` readings of a sensor, a millisecond apart, the last one at `until` (ms; default a minute ago). */
export function readings(count: number, sensor = 'temperature', until = Date.now() - 60_000): Sent[] {
  return Array.from({ length: count }, (_, index) => ({ sensor, ts: until - count + 1 + index, value: index }));
}

/** What became of everything that a device sent, once nothing of it waits any more. */
export const settledLedger = (visitor: Visitor, deviceId: string): Promise<Ledger> =>
  waitUntil(
    async () => {
      const ledger = read(await visitor.get(`/api/devices/${deviceId}/ledger`), Ledger);
      return ledger.queued === 0 && ledger;
    },
    { what: `everything that ${deviceId} sent is stored`, timeoutMs: 30_000 },
  );

/** Everything that is stored of a device, page by page, oldest first. */
export async function storedReadings(
  visitor: Visitor,
  deviceId: string,
  query = 'limit=1000',
): Promise<z.output<typeof Stored>[]> {
  const items: z.output<typeof Stored>[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = read(await visitor.get(`/api/devices/${deviceId}/readings?order=asc&${query}${after}`), Page);
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}
