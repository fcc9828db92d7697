import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { z } from 'zod';
import { SOCKET_SERVER } from '../../apps/telemetry/src/link/socket-connection.ts';

const Reading = z.object({ sensor: z.string(), value: z.number(), ts: z.number() });
export type NaiveReading = z.output<typeof Reading>;

/** As long as a real one. */
const BATCH_ID = randomUUID();

/**
 * A socket.io server with telemetry's very options that gives the receipt as soon as `handle` is done with the message;
 * without one, at once. It prints the address it listens on.
 */
export function serve(handle?: (payload: unknown) => Promise<unknown>): void {
  const http = createServer();
  const io = new Server(http, SOCKET_SERVER);
  io.of('/telemetry').on('connection', (socket) => {
    socket.on('readings', (payload: unknown, ack: (receipt: unknown) => void) => {
      const accepted = Array.isArray(payload) ? payload.length : 1;
      const answer = () => ack({ ok: true, batchId: BATCH_ID, accepted, rejected: [] });
      if (handle) handle(payload).then(answer, fail);
      else answer();
    });
  });
  http.listen(0, '127.0.0.1', () => {
    process.stdout.write(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`);
  });
}

/** The reading of a message. */
export const readingOf = (payload: unknown): NaiveReading => Reading.parse(payload);

function fail(error: unknown): never {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}
