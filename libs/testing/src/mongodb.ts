import { randomBytes } from 'node:crypto';
import mongoose from 'mongoose';
import type { FreshDatabase } from './mysql.ts';
import { startOwn, type OwnServer, type OwnServerOptions } from './own-server.ts';
import { endWithTheTests } from './running.ts';

/** The MongoDB, or server of its protocol, that all tests of a run share, if there is one. */
export function mongoUrl(): string | undefined {
  return process.env['MONGODB_URL'] || undefined;
}

async function withClient(url: string, use: (client: mongoose.mongo.MongoClient) => Promise<unknown>): Promise<void> {
  const client = new mongoose.mongo.MongoClient(url, { serverSelectionTimeoutMS: 5_000 });
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

/**
 * A new database's name; MongoDB makes it with its first document.
 * @param server URL without a database; default: the shared one.
 */
export function freshMongoDatabase(server = mongoUrl()): Promise<FreshDatabase> {
  if (server === undefined)
    return Promise.reject(new Error("no MongoDB: wrap the suite in describeWith(['mongodb'], ...)"));
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  const stop = endWithTheTests(() => withClient(server, (client) => client.db(name).dropDatabase()));
  return Promise.resolve({ url: url.href, name, stop });
}

/** A server of the test's own that speaks MongoDB's protocol; `kill` takes its storage engine down with it. About 1 s. */
export function startMongo(options?: OwnServerOptions): Promise<OwnServer> {
  return startOwn(
    {
      server: 'mongodb',
      url: (port) => `mongodb://127.0.0.1:${port}`,
      args: (dataDir, port) => [dataDir, String(port)],
      isReady: async (url) => {
        await withClient(url, (client) => client.db('admin').command({ listDatabases: 1 }));
        return true;
      },
    },
    options,
  );
}
