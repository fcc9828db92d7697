import { z } from 'zod';
import type { House } from '../../e2e/house.ts';
import { percentiles, type Percentiles } from '../load/latency.ts';
import { Administrator } from './administrator.ts';
import { macOf, ROWS } from './database.ts';

const Page = z.object({ items: z.array(z.object({ id: z.string() })), nextCursor: z.string().nullable() });

/** Requests of each kind. */
const REQUESTS = 60;
/** Pages into the list that the deep pages begin. */
const DEEP = 20;

/** Milliseconds of one request, from the administrator's side, one after the other. */
export interface ListTimes {
  pages: Percentiles;
  searches: Percentiles;
}

/** Pages of lists, and searches for words that few, many and all of so many devices have. */
export async function listTimes(house: House, devices: number): Promise<ListTimes> {
  const admin = await Administrator.of(house);
  const timed = async (path: string): Promise<number> => {
    const start = performance.now();
    const { items } = await admin.get(path, Page);
    if (items.length === 0) throw new Error(`${path} found nothing`);
    return performance.now() - start;
  };
  const deep = await cursorAfter(admin, DEEP);
  const pages = [
    () => '/api/devices?limit=100',
    () => '/api/devices?limit=100&sort=-createdAt',
    () => '/api/devices?limit=100&sort=name',
    () => `/api/devices?limit=100&cursor=${deep}`,
    (number: number) => `/api/devices?limit=100&label=row-${String(number % ROWS)}`,
    () => '/api/devices?limit=100&state=created',
  ];
  const searches = [
    (number: number) => `/api/devices?limit=100&q=SN-${String(number)}`,
    (number: number) => `/api/devices?limit=100&q=${encodeURIComponent(macOf(number))}`,
    () => '/api/devices?limit=100&q=sensor',
    (number: number) => `/api/devices?limit=100&q=sensor%20${String(number).slice(0, 3)}`,
    () => '/api/devices?limit=100&q=s&sort=name',
  ];
  const measured = async (paths: ((number: number) => string)[]): Promise<Percentiles> => {
    const times: number[] = [];
    for (let request = 0; request < REQUESTS * paths.length; request += 1) {
      const path = paths[request % paths.length]?.(Math.floor((request * devices) / (REQUESTS * paths.length)));
      if (path !== undefined) times.push(await timed(path));
    }
    return percentiles(times);
  };
  return { pages: await measured(pages), searches: await measured(searches) };
}

async function cursorAfter(admin: Administrator, pages: number): Promise<string> {
  let cursor = '';
  for (let page = 0; page < pages; page += 1) {
    const { nextCursor } = await admin.get(`/api/devices?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`, Page);
    cursor = nextCursor ?? '';
  }
  return cursor;
}
