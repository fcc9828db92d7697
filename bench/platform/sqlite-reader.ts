import Database from 'libsql';
import { z } from 'zod';
import type { StoreReader } from './store-reader.ts';

const Summaries = z.array(
  z.object({
    id: z.number(),
    deviceId: z.string(),
    sensor: z.string(),
    count: z.number(),
    first: z.number(),
    last: z.number(),
  }),
);
const Times = z.array(z.object({ t: z.number() }));

/** The embedded mode's store, opened beside the process that writes it. */
export function readSqlite(file: string): StoreReader {
  const db = new Database(file, { timeout: 10_000 });
  db.exec('pragma query_only = on');
  const summaries = db.prepare(
    `select s.id, s.device as deviceId, s.sensor, count(*) as count, min(r.t) as first, max(r.t) as last
     from series s join readings r on r.series = s.id
     where substr(s.sensor, 1, length(?)) = ? group by s.id`,
  );
  const times = db.prepare('select t from readings where series = ? order by t');
  return {
    series: async (prefix) => Summaries.parse(summaries.all(prefix, prefix)),
    times: async (id) => Times.parse(times.all(id)).map(({ t }) => t),
    close: async () => {
      db.close();
    },
  };
}
