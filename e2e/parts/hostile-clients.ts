import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { waitUntil } from '#testing';
import type { House } from '../house.ts';
import { newDevice, newUser, type Device, type Person } from '../people.ts';
import { memoryOf } from '../memory.ts';
import { ask, connect, disconnectAll } from '../sockets.ts';
import { Visitor } from '../visitor.ts';

const MIB = 1_048_576;
/** What a process may grow by while one client does its worst. */
const GROWTH_BYTES = 192 * MIB;

/** Clients that are slow, deaf or broken: the others do not notice. */
export function hostileClients(house: () => House): void {
  describe('a hostile client', () => {
    let person: Person;
    let device: Device;
    let neighbour: Socket;
    const opened: (() => void)[] = [];

    beforeAll(async () => {
      person = await newUser(house());
      device = await newDevice(person.visitor);
      neighbour = await connect(house(), '/telemetry', (await newDevice(person.visitor)).token);
    });
    afterEach(() => {
      for (const close of opened.splice(0)) close();
    });
    afterAll(disconnectAll);

    const neighbourIsServed = async (): Promise<void> => {
      expect(await ask(neighbour, 'readings', { sensor: 's', value: 1 })).toMatchObject({ ok: true, accepted: 1 });
      expect(await person.visitor.get('/user/me')).toMatchObject({ status: 200 });
    };

    function rawConnection(text: string): TcpSocket {
      const { hostname, port } = new URL(house().url);
      const socket = connectTcp({ host: hostname, port: Number(port || 80) });
      socket.on('error', () => undefined).on('data', () => undefined);
      socket.write(text);
      opened.push(() => socket.destroy());
      return socket;
    }

    /** A WebSocket to the namespace that speaks the protocol by itself: Engine.IO 4 and Socket.IO 5. */
    async function rawSocket(token: string): Promise<WebSocket> {
      const socket = new WebSocket(`${house().url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`);
      socket.on('error', () => undefined);
      opened.push(() => socket.terminate());
      const greeted = new Promise<void>((resolve) => {
        socket.on('message', (data: Buffer) => {
          const text = data.toString();
          if (text.startsWith('0')) socket.send(`40/telemetry,${JSON.stringify({ token })}`);
          if (text.startsWith('40/telemetry')) resolve();
          if (text === '2') socket.send('3');
        });
      });
      await greeted;
      return socket;
    }

    test('that drips its body byte by byte holds up nobody', async () => {
      const head = `POST /telemetry HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${device.token}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n`;
      const slow = Array.from({ length: 100 }, () => rawConnection(head));
      for (const byte of ['[', '{', '"', 's']) {
        for (const socket of slow) socket.write(byte);
        await neighbourIsServed();
      }
    });

    test('that drips its headers, or sends what is no HTTP, holds up nobody', async () => {
      for (const text of [
        'GET / HTTP/1.1\r\nHos',
        'NONSENSE\r\n\r\n',
        '\0\0\0\0',
        'GET / HTTP/9.9\r\n\r\n',
        'POST /telemetry HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n',
      ]) {
        for (let count = 0; count < 20; count += 1) rawConnection(text);
      }
      await neighbourIsServed();
    });

    test('that never reads its acknowledgements is cut off, with bounded memory', async () => {
      const before = await memoryOf(house());
      const deaf = await rawSocket(device.token);
      deaf.pause();
      const bad = JSON.stringify(Array.from({ length: 1_000 }, () => 1));
      for (let message = 0; message < 450; message += 1) deaf.send(`42/telemetry,${message}["readings",${bad}]`);
      await waitUntil(() => deaf.bufferedAmount === 0 || deaf.readyState !== WebSocket.OPEN, {
        what: 'everything is sent',
        timeoutMs: 20_000,
      });
      for (let round = 0; round < 20; round += 1) await neighbourIsServed();
      for (const [name, bytes] of Object.entries(await memoryOf(house()))) {
        expect([name, bytes - (before[name] ?? 0) < GROWTH_BYTES]).toEqual([name, true]);
      }
      const closed = new Promise((resolve) => deaf.once('close', resolve));
      deaf.resume();
      await closed;
    }, 60_000);

    test('that sends frames which are no packets loses its own connection at most', async () => {
      const frames = [
        '',
        '4',
        '42',
        '42/telemetry',
        '42/telemetry,',
        '42/telemetry,[',
        '42/telemetry,["readings",{"sensor":"s","value":NaN}]',
        '42/telemetry,1["readings",Infinity]',
        '42/telemetry,7[{"not":"a name"}]',
        '451-/telemetry,["readings",{"_placeholder":true,"num":99}]',
        '459999999999-["readings"]',
        '40/nowhere,{}',
        '41/telemetry,',
        '43/telemetry,1[]',
        '44/telemetry,"x"',
        '4{}',
        '9',
        '\0',
        `42/telemetry,["readings",${'['.repeat(50_000)}${']'.repeat(50_000)}]`,
        '42/telemetry,99999999999999999999["readings",1]',
      ];
      for (const frame of frames) (await rawSocket(device.token)).send(frame);
      const binary = await rawSocket(device.token);
      binary.send(Buffer.alloc(1_000, 255));
      await neighbourIsServed();
    });

    test('that connects and says nothing, or asks for the same again and again, holds up nobody', async () => {
      for (let count = 0; count < 50; count += 1) {
        const socket = new WebSocket(`${house().url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`);
        socket.on('error', () => undefined);
        opened.push(() => socket.terminate());
      }
      await Promise.all(
        Array.from({ length: 50 }, () => new Visitor(house()).get('/socket.io/?EIO=4&transport=polling')),
      );
      for (const query of [
        '',
        '?EIO=3&transport=polling',
        '?EIO=4&transport=nonsense',
        '?EIO=4&transport=polling&sid=nobody',
      ]) {
        const answer = await new Visitor(house()).get(`/socket.io/${query}`);
        expect([query, answer.status]).toEqual([query, 400]);
      }
      await neighbourIsServed();
    });

    test('that opens a namespace over and over does not grow the memory without bound', async () => {
      const before = await memoryOf(house());
      for (let round = 0; round < 20; round += 1) {
        const sockets = await Promise.all(
          Array.from({ length: 20 }, () => connect(house(), '/telemetry', device.token, { transports: ['websocket'] })),
        );
        for (const socket of sockets) socket.disconnect();
      }
      for (const [name, bytes] of Object.entries(await memoryOf(house()))) {
        expect([name, bytes - (before[name] ?? 0) < GROWTH_BYTES]).toEqual([name, true]);
      }
    }, 60_000);
  });
}
