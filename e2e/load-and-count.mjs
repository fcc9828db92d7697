// Devices send readings for a while through a running Fieldline, each sending a batch again until it has its receipt. Then
// every reading is read back and counted. Whatever is killed or replaced meanwhile: acknowledged = found, and nothing is found
// that was never sent. Prints the count as JSON; the exit code is 1 if it does not come out.
//
//   E2E_URL=http://localhost:8080 E2E_ADMIN_EMAIL=... E2E_ADMIN_PASSWORD=... node e2e/load-and-count.mjs [--devices 20] [--seconds 30]
//     [--batch 10] [--rate 20]        rate: batches per second of each device

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { io } from 'socket.io-client';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '30' },
    batch: { type: 'string', default: '10' },
    rate: { type: 'string', default: '20' },
  },
});
const DEVICES = Number(values.devices);
const SECONDS = Number(values.seconds);
const BATCH = Number(values.batch);
const PERIOD_MS = 1000 / Number(values.rate);
const URL = process.env.E2E_URL ?? 'http://localhost:8080';

const SENSOR = 'count';
const ACK_TIMEOUT_MS = 5_000;
const DRAIN_TIMEOUT_MS = 120_000;

let token = '';

/** Asks the API as the administrator, again while a service is away. */
async function api(path, body) {
  for (let attempt = 0; ; attempt++) {
    const response = await fetch(URL + path, {
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    }).catch((error) => ({ ok: false, status: 503, text: () => String(error) }));
    if (response.ok) return response.json();
    if (response.status !== 503 || attempt === 60) {
      throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    }
    await sleep(1_000);
  }
}

async function newDevice(number) {
  const { id } = await api('/api/devices', { name: `load-and-count ${number}` });
  const { accessToken } = await api(`/api/devices/${id}/credentials`, {});
  return { id, accessToken };
}

/** Sends until `deadline`, and then until the last batch has its receipt. */
async function send({ id, accessToken }, deadline) {
  const count = { id, sent: 0, acknowledged: 0, resent: 0, refused: 0, connections: 0, refusals: {}, longestWaitMs: 0 };
  // an ordinary client: it begins with polling, and moves to WebSocket
  const socket = io(`${URL}/telemetry`, { auth: { token: accessToken }, forceNew: true, reconnectionDelayMax: 1_000 });
  socket.on('connect', () => count.connections++);
  socket.on('connect_error', (error) => {
    const code = error.data?.code ?? 'no connection';
    count.refusals[code] = (count.refusals[code] ?? 0) + 1;
    if (!socket.active) sleep(1_000).then(() => socket.connect());
  });
  socket.on('disconnect', (reason) => {
    if (reason === 'io server disconnect') sleep(1_000).then(() => socket.connect());
  });
  const begin = Date.now();
  while (Date.now() < deadline) {
    const started = Date.now();
    const batch = Array.from({ length: BATCH }, (_, i) => {
      const value = count.sent + i;
      return { sensor: SENSOR, ts: begin + value, value };
    });
    count.sent += batch.length;
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0) count.resent += batch.length;
      const answer = await receipt(socket, batch);
      if (answer.ok) {
        count.acknowledged += answer.accepted;
        count.refused += answer.rejected.length;
        break;
      }
      count.refusals[answer.code] = (count.refusals[answer.code] ?? 0) + 1;
      await sleep(answer.retryAfterMs ?? 100);
    }
    count.longestWaitMs = Math.max(count.longestWaitMs, Date.now() - started);
    await sleep(Math.max(0, PERIOD_MS - (Date.now() - started)));
  }
  socket.disconnect();
  return count;
}

async function receipt(socket, batch) {
  while (!socket.connected) await sleep(20);
  return Promise.race([
    socket
      .timeout(ACK_TIMEOUT_MS)
      .emitWithAck('readings', batch)
      .catch(() => ({ ok: false, code: 'no receipt', retryAfterMs: 0 })),
    new Promise((resolve) => {
      socket.once('disconnect', () => resolve({ ok: false, code: 'disconnected', retryAfterMs: 0 }));
    }),
  ]);
}

async function drained(id) {
  const deadline = Date.now() + DRAIN_TIMEOUT_MS;
  for (;;) {
    const ledger = await api(`/api/devices/${id}/ledger`);
    if (ledger.queued === 0) return ledger;
    if (Date.now() > deadline) throw new Error(`${ledger.queued} readings are still queued`);
    await sleep(200);
  }
}

/** Every value that can be read back, with how often. */
async function readBack(id) {
  const found = new Map();
  let cursor = '';
  do {
    const page = await api(`/api/devices/${id}/readings?sensor=${SENSOR}&order=asc&limit=1000${cursor}`);
    for (const { value } of page.items) found.set(value, (found.get(value) ?? 0) + 1);
    cursor = page.nextCursor === null ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
  } while (cursor);
  return found;
}

token = (await api('/user/login', { email: process.env.E2E_ADMIN_EMAIL, password: process.env.E2E_ADMIN_PASSWORD }))
  .token;
const devices = await Promise.all(Array.from({ length: DEVICES }, (_, i) => newDevice(i)));
console.error(`${DEVICES} devices send for ${SECONDS} s`);
const counts = await Promise.all(devices.map((device) => send(device, Date.now() + SECONDS * 1000)));

const total = {
  sent: 0,
  acknowledged: 0,
  resent: 0,
  refused: 0,
  connections: 0,
  found: 0,
  missing: 0,
  neverSent: 0,
  twice: 0,
};
const ledgers = { received: 0, stored: 0, duplicate: 0, conflict: 0, rejected: 0, queued: 0 };
const refusals = {};
for (const count of counts) {
  for (const key of ['sent', 'acknowledged', 'resent', 'refused', 'connections']) total[key] += count[key];
  for (const [code, times] of Object.entries(count.refusals)) refusals[code] = (refusals[code] ?? 0) + times;
  const ledger = await drained(count.id);
  for (const key of Object.keys(ledgers)) ledgers[key] += ledger[key];
  const found = await readBack(count.id);
  total.found += found.size;
  for (let value = 0; value < count.sent; value++) if (!found.has(value)) total.missing++;
  for (const [value, times] of found) {
    if (!(Number.isInteger(value) && value >= 0 && value < count.sent)) total.neverSent++;
    if (times > 1) total.twice++;
  }
}
const right =
  total.acknowledged === total.sent &&
  total.found === total.sent &&
  total.missing + total.neverSent + total.twice === 0;
const longestWaitMs = Math.max(...counts.map((count) => count.longestWaitMs));
console.log(JSON.stringify({ right, ...total, longestWaitMs, refusals, ledgers }, null, 2));
process.exit(right ? 0 : 1);
