import { existsSync } from 'node:fs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { createConnection } from 'mysql2/promise';
import { launchChromium } from './chromium.ts';
import { describeWith } from './describe-with.ts';
import { freePort } from './free-port.ts';
import { freshMongoDatabase, startMongo } from './mongodb.ts';
import { freshMysqlDatabase, startMysql } from './mysql.ts';
import { startNats } from './nats.ts';
import { startNginx } from './nginx.ts';

async function queryMysql(url: string, ...statements: string[]): Promise<unknown> {
  const connection = await createConnection(url);
  try {
    let rows: unknown;
    for (const statement of statements) [rows] = await connection.query(statement);
    return rows;
  } finally {
    await connection.end();
  }
}

async function withMongo<T>(url: string, use: (db: mongoose.mongo.Db) => Promise<T>): Promise<T> {
  const client = new mongoose.mongo.MongoClient(url);
  try {
    return await use(client.db());
  } finally {
    await client.close();
  }
}

async function publish(url: string, text: string): Promise<void> {
  const connection = await connect({ servers: url });
  await (await jetstreamManager(connection)).streams.add({ name: 'T', subjects: ['t'] });
  await jetstream(connection).publish('t', text);
  await connection.close();
}

async function countMessages(url: string): Promise<number> {
  const connection = await connect({ servers: url });
  const info = await (await jetstreamManager(connection)).streams.info('T');
  await connection.close();
  return info.state.messages;
}

describeWith(['mysql'], 'a fresh MySQL database', () => {
  test('is empty, compares text byte by byte, and is gone after stop', async () => {
    const database = await freshMysqlDatabase();
    const collation =
      'select @@collation_database as collation, (select count(*) from information_schema.tables where table_schema = database()) as n';
    expect(await queryMysql(database.url, collation)).toEqual([{ collation: 'utf8mb4_0900_bin', n: 0 }]);
    await database.stop();
    await expect(queryMysql(database.url, 'select 1')).rejects.toThrow(/Unknown database/);
  });
});

describeWith(['mongodb'], 'a fresh MongoDB database', () => {
  test('is empty, and so is the next one', async () => {
    const [one, other] = [await freshMongoDatabase(), await freshMongoDatabase()];
    await withMongo(one.url, (db) => db.collection<{ _id: number }>('things').insertOne({ _id: 1 }));
    expect(await withMongo(other.url, (db) => db.collection('things').countDocuments())).toBe(0);
    await one.stop();
    expect(await withMongo(one.url, (db) => db.collection('things').countDocuments())).toBe(0);
    await other.stop();
  });
});

describeWith(['own-mysql'], 'an own MySQL', () => {
  test('keeps what it committed through kill -9 and a restart', async () => {
    const server = await startMysql();
    await queryMysql(server.url, 'create database d', 'create table d.t (n int)', 'insert into d.t values (7)');
    await server.kill();
    await expect(queryMysql(server.url, 'select 1')).rejects.toThrow();
    await server.restart();
    expect(await queryMysql(server.url, 'select n from d.t')).toEqual([{ n: 7 }]);
    await server.stop();
    expect(existsSync(server.dataDir)).toBe(false);
  });
});

describeWith(['own-mongodb'], 'an own MongoDB', () => {
  test('keeps what it acknowledged through kill -9 and a restart', async () => {
    const server = await startMongo();
    const url = `${server.url}/d`;
    await withMongo(url, (db) =>
      db.collection<{ _id: number }>('t').insertOne({ _id: 7 }, { writeConcern: { w: 'majority', j: true } }),
    );
    await server.kill();
    await server.restart();
    expect(await withMongo(url, (db) => db.collection('t').find().toArray())).toEqual([{ _id: 7 }]);
    await server.stop();
  });
});

describeWith(['own-nats'], 'an own NATS', () => {
  test('keeps what JetStream acknowledged through kill -9 and a restart', async () => {
    const server = await startNats();
    await publish(server.url, 'one');
    await server.kill();
    await server.restart();
    expect(await countMessages(server.url)).toBe(1);
    await server.stop();
  });

  test('takes a configuration', async () => {
    const server = await startNats({ config: 'max_payload: 4096\njetstream { max_file_store: 10M }' });
    const connection = await connect({ servers: server.url });
    expect(connection.info?.max_payload).toBe(4096);
    await connection.close();
    await server.stop();
  });

  test('says why it does not start', async () => {
    await expect(startNats({ config: 'jetstream { nonsense: yes }' })).rejects.toThrow(
      /nats ended before it was ready[^]*nonsense/,
    );
  });
});

describeWith(['nginx'], 'an own nginx', () => {
  const configText = (http: number, stream: number) => `
    error_log stderr;
    pid nginx.pid;
    events {}
    stream { server { listen 127.0.0.1:${stream}; return "stream"; } }
    http {
      access_log off;
      client_body_temp_path tmp-body; proxy_temp_path tmp-proxy; fastcgi_temp_path tmp-fastcgi; uwsgi_temp_path tmp-uwsgi; scgi_temp_path tmp-scgi;
      server { listen 127.0.0.1:${http}; return 200 "http"; }
    }`;

  test('serves http and stream, reloads, and comes back after kill -9', async () => {
    const [port, stream] = [await freePort(), await freePort()];
    const nginx = await startNginx({ port, configText: configText(port, stream) });
    expect(await (await fetch(nginx.url)).text()).toBe('http');
    await nginx.kill();
    await expect(fetch(nginx.url)).rejects.toThrow();
    await nginx.restart();
    expect(await (await fetch(nginx.url)).text()).toBe('http');
    await nginx.stop();
  });

  test('says what is wrong with its configuration', async () => {
    await expect(startNginx({ port: await freePort(), configText: 'nonsense on;' })).rejects.toThrow(
      /unknown directive "nonsense"/,
    );
  });
});

describeWith(['chromium'], 'a headless browser', () => {
  test('answers on its DevTools address', async () => {
    const browser = await launchChromium();
    const { host } = new URL(browser.devtoolsUrl);
    const version: unknown = await (await fetch(`http://${host}/json/version`)).json();
    expect(version).toMatchObject({ Browser: expect.stringContaining('Chrome') });
    await browser.stop();
  });
});
