import { expect, test } from '@jest/globals';
import { createConnection } from 'mysql2/promise';
import { describeWith, freePort, spawnService, startMongo, startMysql, startNats, waitUntil } from '#testing';
import { NEUTRAL, programOf } from './house.ts';

const SECRET_KEY = 'the secret of a house that starts in the wrong order';

const isReady = async (port: number): Promise<boolean> => {
  const answer = await fetch(`http://127.0.0.1:${port}/health/ready`);
  return (await answer.text()).startsWith('{"status":"ok"');
};

describeWith(['own-mysql', 'own-mongodb', 'own-nats'], 'services that are started before their servers', () => {
  test('wait for each and say so, and are ready once all are there', async () => {
    const [mysqlPort, mongodbPort, natsPort] = [await freePort(), await freePort(), await freePort()];
    const start = async (app: string, readyLine: RegExp, env: Record<string, string>) => {
      const port = await freePort();
      const common = { ...NEUTRAL, SECRET_KEY, NATS_URL: `nats://127.0.0.1:${natsPort}`, PORT: String(port) };
      return {
        port,
        process: await spawnService({
          name: app,
          script: programOf(app),
          readyTimeoutMs: 60_000,
          readyLine,
          env: { ...common, ...env },
        }),
      };
    };
    const database = (name: string) => ({ DATABASE_URL: `mysql://root@127.0.0.1:${mysqlPort}/${name}` });
    const services = await Promise.all([
      start('auth', /waiting for (?:NATS|the auth database)/, database('auth_order')),
      start('device-registry', /waiting for (?:NATS|the registry database)/, database('registry_order')),
      start('provisioning', /waiting for (?:NATS|the provisioning database)/, database('provisioning_order')),
      start('telemetry', /waiting for (?:NATS|the telemetry database)/, {
        ...database('telemetry_order'),
        MONGODB_URL: `mongodb://127.0.0.1:${mongodbPort}/readings`,
      }),
    ]);
    const nats = await startNats({ port: natsPort });
    const mysql = await startMysql({ port: mysqlPort });
    const connection = await createConnection(mysql.url);
    for (const name of ['auth_order', 'registry_order', 'provisioning_order', 'telemetry_order']) {
      await connection.query(`create database ${name} character set utf8mb4 collate utf8mb4_0900_bin`);
    }
    await connection.end();
    const [, , , telemetry] = services;
    await waitUntil(() => /waiting for the reading store/.test(telemetry.process.output), {
      what: 'telemetry says that it waits for the store',
      timeoutMs: 30_000,
    });
    const mongodb = await startMongo({ port: mongodbPort });
    for (const { port, process } of services) {
      await waitUntil(() => isReady(port), { what: `${process.pid} is ready`, timeoutMs: 60_000 });
      expect(process.running).toBe(true);
    }
    for (const { process } of services) expect(await process.stop()).toEqual({ code: 0, signal: null });
    for (const server of [mysql, mongodb, nats]) await server.stop();
  }, 120_000);

  test('end at once when they are asked to while they wait', async () => {
    const natsPort = await freePort();
    const waiting = await spawnService({
      name: 'provisioning',
      script: programOf('provisioning'),
      readyLine: /waiting for NATS/,
      env: {
        ...NEUTRAL,
        DATABASE_URL: 'file::memory:',
        NATS_URL: `nats://127.0.0.1:${natsPort}`,
        PORT: String(await freePort()),
      },
    });
    const ended = await waiting.stop();
    expect(ended?.signal).not.toBe('SIGKILL');
  }, 30_000);
});
