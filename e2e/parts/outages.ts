import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { waitUntil } from '#testing';
import type { SuiteHouse } from '../house.ts';
import { newDevice, newUser, type Device, type Person } from '../people.ts';
import { readings, settledLedger, storedReadings, type Sent } from '../readings.ts';
import { ask, connect, disconnectAll } from '../sockets.ts';
import { Visitor, type Answer } from '../visitor.ts';

/** What happens while a server is away, and when it is back. Long outages under load are the chaos program's. */
export function outages(house: () => SuiteHouse): void {
  describe('while a server is away', () => {
    afterEach(async () => {
      const { mysql, mongodb, nats } = house().servers;
      for (const server of [mysql, mongodb, nats]) if (!server.process.running) await server.restart();
      await ready(house());
    }, 90_000);
    afterAll(disconnectAll);

    const newLine = async (): Promise<{ person: Person; device: Device; socket: Socket; sender: Visitor }> => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const socket = await connect(house(), '/telemetry', device.token);
      await ask(socket, 'readings', readings(5, 'before'));
      return { person, device, socket, sender: new Visitor(house(), device.token) };
    };

    test('MySQL: logins are 503, links that were verified go on, and everything works once it is back', async () => {
      const { person, device, socket, sender } = await newLine();
      await settledLedger(person.visitor, device.id);
      for (const replica of house().replicas) {
        await person.visitor.get(`${replica}/api/devices/${device.id}/latest`);
        await sender.post(`${replica}/telemetry`, []);
      }
      await house().servers.mysql.kill();
      const anybody = new Visitor(house());
      const login = { email: person.email, password: person.password };
      await becomes(() => anybody.post('/user/login', login), 503);
      const refused = await anybody.post('/user/login', login);
      expect(refused).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      await becomes(() => person.visitor.get('/api/devices'), 503);
      expect(await ask(socket, 'readings', readings(5, 'during'))).toMatchObject({ ok: true, accepted: 5 });
      expect(await sender.post('/telemetry', readings(5, 'also'))).toMatchObject({ status: 200 });
      expect(await person.visitor.get(`/api/devices/${device.id}/latest`)).toMatchObject({ status: 200 });
      await house().servers.mysql.restart();
      await becomes(() => anybody.post('/user/login', login), 200);
      expect(await settledLedger(person.visitor, device.id)).toMatchObject({ received: 15, stored: 15 });
    }, 60_000);

    test('MongoDB: receipts keep coming, health says degraded with the backlog, and the writer catches up', async () => {
      const { person, device, socket } = await newLine();
      await settledLedger(person.visitor, device.id);
      await house().servers.mongodb.kill();
      for (let batch = 0; batch < 20; batch += 1) {
        expect(await ask(socket, 'readings', readings(10, `during-${batch}`))).toMatchObject({
          ok: true,
          accepted: 10,
        });
      }
      const telemetry = house().replicas[0]!;
      const degraded = await waitUntil(
        async () => {
          const answer = await new Visitor(house()).get(`${telemetry}/health/ready`);
          return answer.text.includes('degraded') && answer;
        },
        { what: 'health says degraded', timeoutMs: 20_000 },
      );
      expect(degraded).toMatchObject({
        status: 200,
        body: {
          status: 'degraded',
          checks: {
            'reading log': { status: 'up', backlog: { messages: expect.any(Number) } },
            'reading store': { status: 'down' },
          },
        },
      });
      expect(degraded.text).not.toContain('"messages":0,');
      await becomes(() => person.visitor.get(`/api/devices/${device.id}/latest`), 503);
      await house().servers.mongodb.restart();
      await becomes(() => person.visitor.get(`/api/devices/${device.id}/latest`), 200);
      expect(await settledLedger(person.visitor, device.id)).toMatchObject({
        received: 205,
        stored: 205,
        duplicate: 0,
      });
      expect(await storedReadings(person.visitor, device.id)).toHaveLength(205);
    }, 90_000);

    test('NATS: nothing is acknowledged, BUSY says when to come again, and nothing that was acknowledged is lost', async () => {
      const { person, device, socket, sender } = await newLine();
      await house().servers.nats.kill();
      const sent = readings(10, 'during');
      const busy = await waitUntil(
        async () => {
          const answer: unknown = await ask(socket, 'readings', sent);
          return JSON.stringify(answer).includes('BUSY') && answer;
        },
        { what: 'the answer is BUSY', timeoutMs: 20_000 },
      );
      expect(busy).toMatchObject({ ok: false, code: 'BUSY', retryAfterMs: expect.any(Number) });
      const refused = await sender.post('/telemetry', sent);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      await house().servers.nats.restart();
      await resendUntilAccepted(socket, sent);
      expect(await settledLedger(person.visitor, device.id)).toMatchObject({ stored: 15, conflict: 0 });
      const found = await storedReadings(person.visitor, device.id, 'sensor=during');
      expect(found.map(({ value }) => value)).toEqual(sent.map(({ value }) => value));
      expect((await newUser(house())).token).toEqual(expect.any(String));
    }, 90_000);

    test('a replica of telemetry: its clients find the other one, and everything acknowledged is there', async () => {
      const { person, device, sender } = await newLine();
      const { 'telemetry-1': replica } = house().own.services;
      await replica!.kill();
      for (let batch = 0; batch < 10; batch += 1) {
        await becomes(() => sender.post('/telemetry', readings(10, `during-${batch}`, 1_750_000_000_000)), 200);
      }
      const socket = await connect(house(), '/telemetry', device.token);
      expect(await ask(socket, 'readings', readings(10, 'last'))).toMatchObject({ ok: true, accepted: 10 });
      await replica!.restart();
      expect(await settledLedger(person.visitor, device.id)).toMatchObject({ stored: 115, conflict: 0 });
    }, 60_000);

    test('every service at once, ended and started again: it keeps what it had', async () => {
      const { person, device } = await newLine();
      await settledLedger(person.visitor, device.id);
      const services = Object.values(house().own.services);
      await Promise.all(services.map((service) => service.restart()));
      await becomes(() => person.visitor.get('/user/me'), 200);
      await becomes(() => person.visitor.get(`/api/devices/${device.id}/latest`), 200);
      expect(await settledLedger(person.visitor, device.id)).toMatchObject({ received: 5, stored: 5 });
    }, 90_000);
  });
}

const becomes = (send: () => Promise<Answer>, status: number): Promise<unknown> =>
  waitUntil(async () => (await send()).status === status, { what: `the answer is ${status}`, timeoutMs: 30_000 });

async function resendUntilAccepted(socket: Socket, sent: Sent[]): Promise<void> {
  await waitUntil(
    async () => {
      const answer: unknown = await ask(socket, 'readings', sent);
      return JSON.stringify(answer).includes('"accepted":10');
    },
    { what: 'the batch is accepted', timeoutMs: 30_000, everyMs: 100 },
  );
}

/** Every service is ready, without anything missing. */
export const ready = ({ own }: SuiteHouse): Promise<unknown> =>
  waitUntil(
    async () => {
      for (const [name, address] of Object.entries(own.addresses)) {
        const text = await (await fetch(`${address}/health/ready`)).text();
        if (!text.startsWith('{"status":"ok"')) throw new Error(`${name}: ${text}`);
      }
      return true;
    },
    { what: 'every service is ready', timeoutMs: 60_000, everyMs: 100 },
  );
