import mongoose from 'mongoose';
import { groupsOfRows, type Row } from './rows.ts';

const ROWS_IN_INSERT = 5_000;
const INSERTS_IN_FLIGHT = 2;

interface Reading {
  _id: { s: number; t: number };
  v: number;
  r: number;
  m: number;
}

const documentOf = ([s, t, v, r]: Row): Reading => ({ _id: { s, t }, v, r, m: t });

/**
 * Documents a second by the driver's unordered bulk insert, two of 5,000 under way, in key order, acknowledged when they are on
 * disk (`w: majority, j: true`), and nothing else.
 */
export async function mongodbInserts(
  url: string,
  { series, seconds }: { series: number; seconds: number },
): Promise<number> {
  const client = await new mongoose.mongo.MongoClient(url).connect();
  try {
    const readings = client.db().collection<Reading>(`raw_${series}`);
    const groups = groupsOfRows(series, ROWS_IN_INSERT);
    const start = performance.now();
    let rows = 0;
    const insert = async (): Promise<void> => {
      while (performance.now() - start < seconds * 1_000) {
        const documents = groups.next().value.map(documentOf);
        await readings.insertMany(documents, { ordered: false, writeConcern: { w: 'majority', j: true } });
        rows += documents.length;
      }
    };
    await Promise.all(Array.from({ length: INSERTS_IN_FLIGHT }, insert));
    const rate = (rows / (performance.now() - start)) * 1_000;
    await readings.drop();
    return rate;
  } finally {
    await client.close();
  }
}
