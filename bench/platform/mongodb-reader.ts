import mongoose from 'mongoose';
import type { StoreReader } from './store-reader.ts';

interface SeriesDocument {
  _id: number;
  d: string;
  s: string;
}

interface ReadingDocument {
  _id: { s: number; t: number };
}

interface Sum {
  _id: number;
  count: number;
  first: number;
  last: number;
}

/** The store of the servers. */
export async function readMongodb(url: string): Promise<StoreReader> {
  const client = await new mongoose.mongo.MongoClient(url).connect();
  const readings = client.db().collection<ReadingDocument>('readings');
  return {
    series: async (prefix) => {
      const all = await client.db().collection<SeriesDocument>('series').find().toArray();
      const wanted = new Map(all.filter(({ s }) => s.startsWith(prefix)).map((series) => [series._id, series]));
      const sums = await readings.aggregate<Sum>(sumsOf([...wanted.keys()]), { allowDiskUse: true }).toArray();
      return sums.flatMap(({ _id: id, count, first, last }) => {
        const series = wanted.get(id);
        if (!series) return [];
        return [{ id, deviceId: series.d, sensor: series.s, count, first: Number(first), last: Number(last) }];
      });
    },
    times: async (id) => {
      const documents = await readings
        .find({ _id: { $gte: { s: id, t: 0 }, $lt: { s: id + 1, t: 0 } } }, { projection: { _id: 1 } })
        .sort({ _id: 1 })
        .toArray();
      return documents.map(({ _id }) => Number(_id.t));
    },
    close: () => client.close(),
  };
}

/** Over all readings between the lowest and the highest of these series, whose numbers lie together: one scan of the index. */
function sumsOf(ids: readonly number[]): mongoose.mongo.Document[] {
  const lowest = ids.reduce((a, b) => Math.min(a, b), Infinity);
  const highest = ids.reduce((a, b) => Math.max(a, b), 0);
  return [
    { $match: { _id: { $gte: { s: lowest, t: 0 }, $lt: { s: highest + 1, t: 0 } } } },
    { $group: { _id: '$_id.s', count: { $sum: 1 }, first: { $min: '$_id.t' }, last: { $max: '$_id.t' } } },
  ];
}
