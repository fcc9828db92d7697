import { readFile } from 'node:fs/promises';
import { createServer, request, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Server as SocketServer } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { ERRORS, LIMITS, type ErrorCode } from '#contracts';
import { describeWith, freePort, startNginx, tempDir, waitUntil, type Nginx } from '#testing';
import { renderNginx, type GatewayOptions } from '../nginx/render.mjs';

/** What a service was sent, as it came out of the gateway. */
interface Seen {
  service: string;
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

interface FakeService {
  address: string;
  http: Server;
  /** Requests since the last `take`. */
  take: () => Seen[];
  stop: () => Promise<void>;
}

const listening = (server: TcpServer): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`127.0.0.1:${String((server.address() as AddressInfo).port)}`);
    });
  });

async function bodyOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** Answers everything with its own name; `/user/cut` by cutting the connection after it has read the request. */
async function fakeService(name: string): Promise<FakeService> {
  const seen: Seen[] = [];
  const http = createServer((incoming, outgoing) => {
    void bodyOf(incoming).then((body) => {
      const { method = '', url = '', headers } = incoming;
      seen.push({ service: name, method, url, headers, body });
      if (url === '/user/cut') {
        incoming.socket.destroy();
        return;
      }
      outgoing.setHeader('X-Request-Id', 'from-the-service');
      outgoing.setHeader('X-Powered-By', 'a-framework');
      outgoing.setHeader('Content-Type', 'application/json');
      if (url === '/user/busy') outgoing.writeHead(503, { 'Retry-After': '7' });
      if (url === '/user/refused') outgoing.statusCode = 404;
      outgoing.end(JSON.stringify({ service: name, padding: url === '/user/large' ? 'x'.repeat(5_000) : '' }));
    });
  });
  const address = await listening(http);
  const stop = () =>
    new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  return { address, http, take: () => seen.splice(0), stop };
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

interface Asking {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Node's own client, since `fetch` refuses a GET with a body. The path is sent as it stands. */
function ask(port: number, path: string, { method = 'GET', headers = {}, body = '' }: Asking = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const outgoing = request(
      { host: '127.0.0.1', port, path, method, headers: { ...length, ...headers }, agent: false },
      (incoming) => {
        bodyOf(incoming).then(
          (text) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text }),
          reject,
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Sends text as it stands; settles with all that came back once the other side has closed. */
function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    socket.on('error', () => undefined).on('close', () => resolve(answer));
  });
}

function expectProblem(answer: Answer, code: ErrorCode, status: number = ERRORS[code].status): void {
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(answer.body)).toEqual({
    type: `urn:fieldline:problem:${code}`,
    title: ERRORS[code].title,
    status,
    detail: expect.any(String),
    code,
  });
}

async function startGateway(options: Omit<GatewayOptions, 'listen' | 'tempDir'>): Promise<Nginx & { port: number }> {
  const port = await freePort();
  const { path } = await tempDir();
  const configText = renderNginx({ listen: `127.0.0.1:${String(port)}`, tempDir: path, ...options });
  return { ...(await startNginx({ port, dir: path, configText })), port };
}

describeWith(['nginx'], 'the gateway', () => {
  const services: Record<string, FakeService> = {};
  let gateway: Nginx & { port: number };

  beforeAll(async () => {
    for (const name of ['auth', 'device-registry', 'telemetry']) services[name] = await fakeService(name);
    services['provisioning'] = await fakeService('provisioning');
    const upstreams = Object.fromEntries(Object.entries(services).map(([name, { address }]) => [name, [address]]));
    gateway = await startGateway({ upstreams, clientTimeout: '1s' });
  });
  afterAll(async () => {
    await gateway.stop();
    for (const service of Object.values(services)) await service.stop();
  });

  const get = (path: string, asking?: Asking) => ask(gateway.port, path, asking);
  const seenBy = (name: string): Seen[] => services[name]?.take() ?? [];

  test.each([
    ['/user/login', 'auth'],
    ['/user/me', 'auth'],
    ['/api/users', 'auth'],
    ['/api/users/7', 'auth'],
    ['/.well-known/jwks.json', 'auth'],
    ['/docs', 'auth'],
    ['/docs/openapi.json', 'auth'],
    ['/api/customers', 'device-registry'],
    ['/api/customers/7', 'device-registry'],
    ['/api/devices', 'device-registry'],
    ['/api/devices?q=a', 'device-registry'],
    ['/api/devices/7', 'device-registry'],
    ['/api/devices/7/credentials', 'device-registry'],
    ['/api/devices/7/credentials/8', 'device-registry'],
    ['/api/devices/7/latest', 'telemetry'],
    ['/api/devices/7/readings?sensor=a', 'telemetry'],
    ['/api/devices/7/aggregate', 'telemetry'],
    ['/api/devices/7/export?format=csv', 'telemetry'],
    ['/api/devices/7/ledger', 'telemetry'],
    ['/api/devices/7/commands', 'telemetry'],
    ['/api/devices/7/commands/8', 'telemetry'],
    ['/api/devices/7/attributes', 'telemetry'],
    ['/api/devices/7/connection/history', 'telemetry'],
    ['/api/devices/7/firmware', 'telemetry'],
    ['/api/firmware', 'telemetry'],
    ['/api/firmware/rollouts/7', 'telemetry'],
    ['/firmware?kind=firmware', 'telemetry'],
    ['/api/v1/a-token/telemetry', 'telemetry'],
    ['/api/v1/a-token/rpc?timeout=1', 'telemetry'],
    ['/api/v1/provision', 'telemetry'],
    ['/api/telemetry/dead-letters', 'telemetry'],
    ['/telemetry', 'telemetry'],
    ['/socket.io/?EIO=4&transport=polling', 'telemetry'],
    ['/debug/provisioning', 'provisioning'],
    ['/provisioning/register', 'provisioning'],
    ['/provisioning/pair', 'provisioning'],
    ['/auth/devices/request', 'provisioning'],
    ['/mqtt', 'provisioning'],
    ['/api/provision', 'provisioning'],
    ['/api/customer/device/it/claim', 'provisioning'],
    ['/api/claims', 'provisioning'],
    ['/api/provisioning/jobs', 'provisioning'],
    ['/api/provisioning/keys/7', 'provisioning'],
    ['/api/assets/tree', 'device-registry'],
    ['/api/asset-profiles/7', 'device-registry'],
    ['/api/device-profiles', 'device-registry'],
    ['/api/relations', 'device-registry'],
    ['/api/audit', 'device-registry'],
    ['/api/devices/7/reset', 'device-registry'],
  ])('%s is answered by %s, which sees the path unchanged', async (path, service) => {
    const answer = await get(path);
    expect(JSON.parse(answer.body)).toMatchObject({ service });
    expect(seenBy(service).map(({ url }) => url)).toEqual([path]);
  });

  test.each([
    '/',
    '/nothing',
    '/metrics',
    '/health/ready',
    '/health/live',
    '/user',
    '/users',
    '/telemetry/x',
    '/user/../metrics',
    '/user/%2e%2e/metrics',
    '//metrics',
    '/metrics/',
    '/problem/uri-too-long',
    '/firmware/x',
  ])('%s is not there', async (path) => {
    expectProblem(await get(path), 'NOT_FOUND');
  });

  test('/mqtt goes to telemetry where a client wants a WebSocket', async () => {
    const upgrade = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Protocol': 'mqtt' };
    await get('/mqtt', { headers: upgrade });
    expect(seenBy('telemetry').map(({ url, headers }) => [url, headers.upgrade])).toEqual([['/mqtt', 'websocket']]);
    await get('/mqtt', { headers: { Upgrade: 'something' } });
    expect(seenBy('provisioning').map(({ headers }) => headers.upgrade)).toEqual([undefined]);
  });

  test('a package of firmware may be larger than other bodies', async () => {
    const body = 'x'.repeat(LIMITS.bodyBytes * 2);
    expect((await get('/api/firmware?title=a', { method: 'POST', body })).status).toBe(200);
    expect(seenBy('telemetry').map((seen) => seen.body.length)).toEqual([body.length]);
  });

  test('/health is answered by the gateway itself, and says nothing of what is behind it', async () => {
    const answer = await get('/health');
    expect([answer.status, answer.body]).toEqual([200, '{"status":"ok"}']);
  });

  test('a body of the largest size passes, and one byte more is refused before a service sees it', async () => {
    const asking = (bytes: number) => ({ method: 'POST', body: 'x'.repeat(bytes) });
    expect((await get('/telemetry', asking(LIMITS.bodyBytes))).status).toBe(200);
    expect(seenBy('telemetry').map(({ body }) => body.length)).toEqual([LIMITS.bodyBytes]);
    expectProblem(await get('/telemetry', asking(LIMITS.bodyBytes + 1)), 'BODY_TOO_LARGE');
    const chunk = `100001\r\n${'x'.repeat(0x100001)}\r\n0\r\n\r\n`;
    const raw = `POST /telemetry HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`;
    expect(await sendRaw(gateway.port, raw)).toContain('"code":"BODY_TOO_LARGE"');
    expect(seenBy('telemetry')).toEqual([]);
  });

  test('headers, an address and a method that it does not take have their own answers', async () => {
    const long = 'x'.repeat(9_000);
    expectProblem(await get('/user/me', { headers: { 'X-Long': long } }), 'HEADERS_TOO_LARGE');
    expectProblem(await get(`/user/${long}`), 'URI_TOO_LONG');
    expectProblem(await get('/user/me', { method: 'TRACE' }), 'METHOD_NOT_ALLOWED');
    expect(await sendRaw(gateway.port, 'this is not HTTP\r\n\r\n')).toContain('"code":"MALFORMED_REQUEST"');
    expect(await sendRaw(gateway.port, 'GET /user/me HTTP/1.1\r\n\r\n')).toContain('"code":"MALFORMED_REQUEST"');
    expect(seenBy('auth')).toEqual([]);
  });

  test('a request id is made, or taken over when it is a proper one, told to the service and sent back', async () => {
    const made = await get('/user/me');
    expect(made.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    const given = await get('/user/me', { headers: { 'X-Request-Id': 'abc-123.x_Y' } });
    expect(given.headers['x-request-id']).toBe('abc-123.x_Y');
    const odd = await get('/user/me', { headers: { 'X-Request-Id': 'a b"c{}<script>' } });
    expect(odd.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    const ids = [made, given, odd].map(({ headers }) => headers['x-request-id']);
    expect(seenBy('auth').map(({ headers }) => headers['x-request-id'])).toEqual(ids);
  });

  test.each(['/user/me', '/nothing', '/health', '/user/refused'])('%s has the security headers', async (path) => {
    const { headers } = await get(path);
    expect(headers).toMatchObject({
      server: 'nginx',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    expect(headers['x-powered-by']).toBeUndefined();
    seenBy('auth');
  });

  test('the page of the API may run its own scripts, and nobody else’s', async () => {
    const { headers } = await get('/docs');
    expect(headers['content-security-policy']).toMatch(/^default-src 'self';/);
    seenBy('auth');
  });

  test('what a client says about where it comes from is overwritten', async () => {
    await get('/user/me', {
      headers: {
        'X-Forwarded-For': '6.6.6.6',
        'X-Real-IP': '6.6.6.6',
        Forwarded: 'for=6.6.6.6',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'evil.example',
      },
    });
    const [seen] = seenBy('auth');
    expect(seen?.headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `127.0.0.1:${String(gateway.port)}`,
    });
    expect(seen?.headers.forwarded).toBeUndefined();
  });

  test('a file of devices may be larger than any other body', async () => {
    const body = `name\n${'device\n'.repeat(400_000)}`;
    await get('/api/provisioning/jobs', { method: 'POST', body, headers: { 'Content-Type': 'text/csv' } });
    expect(seenBy('provisioning').map(({ body: seen }) => seen.length)).toEqual([body.length]);
  });

  test('a GET with a body reaches provisioning with its body', async () => {
    const body = '{"mac-address": "CE:13:14:15"}';
    await get('/debug/provisioning', { body, headers: { 'Content-Type': 'application/json' } });
    expect(seenBy('provisioning')).toMatchObject([{ method: 'GET', body }]);
  });

  test('a service’s own errors pass unchanged', async () => {
    expect(await get('/user/refused')).toMatchObject({ status: 404, body: '{"service":"auth","padding":""}' });
    const busy = await get('/user/busy');
    expect([busy.status, busy.headers['retry-after']]).toEqual([503, '7']);
    seenBy('auth');
  });

  test('large answers are compressed for whoever wants that', async () => {
    const { headers } = await get('/user/large', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(headers['content-encoding']).toBe('gzip');
    expect((await get('/user/large')).headers['content-encoding']).toBeUndefined();
    seenBy('auth');
  });

  test('a request that is not idempotent is not sent again when the connection breaks, and the client is told', async () => {
    expectProblem(await get('/user/cut', { method: 'POST', body: '{}' }), 'UNAVAILABLE');
    expect(seenBy('auth')).toHaveLength(1);
  });

  test('a client that sends its request too slowly is cut off', async () => {
    expect(await sendRaw(gateway.port, 'POST /telemetry HTTP/1.1\r\nHost: a\r\n')).toBe('');
    const body = await sendRaw(gateway.port, 'POST /telemetry HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
    expect(body).toBe('');
    expect(seenBy('telemetry')).toEqual([]);
  });

  test('the log is a JSON line a request, with no query and no token', async () => {
    const id = 'log-line-of-this-test';
    const headers = { 'X-Request-Id': id, Authorization: 'Bearer secret-3' };
    await get('/api/devices?token=secret-1', { headers });
    await get('/api/v1/secret-2/telemetry?x=secret-1', { headers });
    const own = (text: string) => text.split('\n').filter((line) => line.includes(id));
    const lines = await waitUntil(
      async () => {
        const found = own(await readFile(`${gateway.dir}/access.log`, 'utf8'));
        return found.length === 2 && found;
      },
      { what: 'both requests are in the log' },
    );
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { service: 'gateway', method: 'GET', path: '/api/devices', status: 200, to: 'device-registry' },
      { service: 'gateway', method: 'GET', path: '/api/v1/***/telemetry', status: 200, to: 'telemetry' },
    ]);
    expect(await readFile(`${gateway.dir}/access.log`, 'utf8')).not.toContain('secret');
    seenBy('device-registry');
  });
});

describeWith(['nginx'], 'the gateway when a service is away', () => {
  let gateway: Nginx & { port: number };
  let auth: FakeService;

  beforeAll(async () => {
    auth = await fakeService('auth');
    const nobody = `127.0.0.1:${String(await freePort())}`;
    gateway = await startGateway({
      upstreams: { auth: [nobody, auth.address], 'device-registry': [nobody] },
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await auth.stop();
  });

  test('says so, which one it is, and when to try again', async () => {
    const answer = await ask(gateway.port, '/api/devices?token=secret');
    expectProblem(answer, 'UNAVAILABLE');
    expect(answer.body).toContain('The service device-registry did not answer');
    expect(answer.headers['retry-after']).toBe('2');
    expectProblem(await ask(gateway.port, '/api/devices', { method: 'POST', body: '{}' }), 'UNAVAILABLE');
    expectProblem(await ask(gateway.port, '/debug/provisioning'), 'UNAVAILABLE');
    expect(gateway.process.output).not.toContain('secret');
  });

  test('goes to another replica, also with a POST, while the first cannot be reached', async () => {
    for (let turn = 0; turn < 6; turn++) {
      expect((await ask(gateway.port, '/user/login', { method: 'POST', body: '{}' })).status).toBe(200);
    }
    expect(auth.take()).toHaveLength(6);
  });
});

describeWith(['nginx'], 'the gateway and one busy address', () => {
  test('holds it to its share of requests at the same time', async () => {
    const gateway = await startGateway({ upstreams: {}, connectionsPerAddress: 1 });
    const unfinished = Array.from({ length: 5 }, () => connect(gateway.port, '127.0.0.1'));
    for (const socket of unfinished) socket.write('POST /user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
    const refused = await waitUntil(
      async () => {
        const answer = await ask(gateway.port, '/user/me');
        return answer.status === 429 && answer;
      },
      { what: 'an unfinished request counts' },
    );
    expectProblem(refused, 'RATE_LIMITED');
    for (const socket of unfinished) socket.destroy();
    await gateway.stop();
  });
});

describeWith(['nginx'], 'the gateway in front of two socket servers', () => {
  const REPLICAS = 2;
  const CLIENTS = 60;
  const replicas: { fake: FakeService; sockets: SocketServer }[] = [];
  let gateway: Nginx & { port: number };

  beforeAll(async () => {
    for (let i = 0; i < REPLICAS; i++) {
      const fake = await fakeService('telemetry');
      const sockets = new SocketServer(fake.http, { cookie: { name: 'io' } });
      sockets.on('connection', (socket) => {
        socket.on('where', (answer: (replica: number) => void) => answer(i));
      });
      replicas.push({ fake, sockets });
    }
    gateway = await startGateway({ upstreams: { telemetry: replicas.map(({ fake }) => fake.address) } });
  });
  afterAll(async () => {
    for (const { sockets, fake } of replicas) {
      await sockets.close();
      await fake.stop();
    }
    await gateway.stop();
  });

  /** How many clients each replica served; a client that cannot connect or gets no answer is an error. */
  async function spread(options: { transports?: string[]; upgrade?: boolean }): Promise<number[]> {
    const clients: Socket[] = [];
    try {
      const answers = Array.from({ length: CLIENTS }, async () => {
        const socket = io(gateway.url, { ...options, forceNew: true, reconnection: false });
        clients.push(socket);
        await new Promise((resolve, reject) =>
          socket.on('connect', () => resolve(undefined)).on('connect_error', reject),
        );
        return (await socket.timeout(10_000).emitWithAck('where')) as number;
      });
      const found = await Promise.all(answers);
      return replicas.map((_, i) => found.filter((replica) => replica === i).length);
    } finally {
      for (const socket of clients) socket.disconnect();
    }
  }

  test.each([
    ['ordinary clients, which begin with polling and move to WebSocket', {}],
    ['clients that only poll', { transports: ['polling'] }],
    ['clients that only speak WebSocket', { transports: ['websocket'] }],
  ])('every one of %s is served, by both', async (_, options) => {
    const served = await spread(options);
    expect(served.reduce((sum, count) => sum + count)).toBe(CLIENTS);
    expect(Math.min(...served)).toBeGreaterThan(CLIENTS / 4);
  });

  test('a session stays with its replica for as long as it polls, while others come and go', async () => {
    const socket = io(gateway.url, { transports: ['polling'], forceNew: true, reconnection: false });
    await new Promise((resolve, reject) => socket.on('connect', () => resolve(undefined)).on('connect_error', reject));
    const where: unknown[] = [];
    for (let turn = 0; turn < 20; turn++) where.push(await socket.timeout(10_000).emitWithAck('where'));
    expect(new Set(where).size).toBe(1);
    socket.disconnect();
  });
});

describeWith(['nginx'], 'the gateway and a session that is being opened', () => {
  test('knows its replica before the client knows the session', async () => {
    const replicas = await Promise.all(['a', 'b', 'c'].map((name) => sessionOpener(name)));
    const gateway = await startGateway({ upstreams: { telemetry: replicas.map(({ address }) => address) } });
    for (let session = 0; session < 12; session++) {
      const opening = await openSession(gateway.port);
      const { body } = await ask(gateway.port, `/socket.io/?sid=${opening.sid}`);
      expect(body).toBe(opening.sid.split('-')[0]);
      opening.cut();
    }
    await gateway.stop();
    for (const { stop } of replicas) await stop();
  });
});

/** Names a new session in its cookie and never ends that answer; to a request of a session it says its own name. */
async function sessionOpener(name: string): Promise<{ address: string; stop: () => Promise<void> }> {
  let sessions = 0;
  const http = createServer((incoming, outgoing) => {
    if (incoming.url?.includes('sid=')) {
      outgoing.end(name);
      return;
    }
    outgoing.setHeader('Set-Cookie', `io=${name}-${String(sessions++)}; Path=/; HttpOnly`);
    outgoing.write('the answer begins');
  });
  const address = await listening(http);
  const stop = () =>
    new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  return { address, stop };
}

/** Settles once the headers of the answer are there. */
function openSession(port: number): Promise<{ sid: string; cut: () => void }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path: '/socket.io/', agent: false }, (incoming) => {
      const sid = /io=([^;]+)/.exec(incoming.headers['set-cookie']?.[0] ?? '')?.[1] ?? '';
      resolve({ sid, cut: () => outgoing.destroy() });
    });
    outgoing.on('error', reject).end();
  });
}

/** An MQTT CONNECT, as text. */
const CONNECT = Buffer.from('100d00044d5154540402003c000161', 'hex').toString('latin1');

/** Answers everything up to the end of a CONNECT with what it was. */
async function fakeEndpoint(): Promise<{ address: string; stop: () => void }> {
  const server = createTcpServer((socket) => {
    let heard = '';
    socket.on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (part: string) => {
      heard += part;
      if (heard.endsWith(CONNECT)) socket.end(heard, 'latin1');
    });
  });
  return { address: await listening(server), stop: () => server.close() };
}

describeWith(['nginx'], 'the gateway, for MQTT,', () => {
  const start = async (upstreams: Partial<Record<'mqtt' | 'mqtt-tls', string[]>>) => {
    const [mqtt, tls] = [await freePort(), await freePort()];
    const listen = { mqttListen: `127.0.0.1:${String(mqtt)}`, mqttTlsListen: `127.0.0.1:${String(tls)}` };
    return { mqtt, tls, gateway: await startGateway({ upstreams, ...listen }) };
  };

  test('passes connections on as they are, and says where they come from', async () => {
    const [plain, secure] = [await fakeEndpoint(), await fakeEndpoint()];
    const { mqtt, tls, gateway } = await start({ mqtt: [plain.address], 'mqtt-tls': [secure.address] });
    for (const port of [mqtt, tls]) {
      const seen = await sendRaw(port, CONNECT);
      expect(seen).toMatch(new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 \\d+ ${String(port)}\\r\\n`));
      expect(seen.endsWith(CONNECT)).toBe(true);
    }
    await gateway.stop();
    plain.stop();
    secure.stop();
  });

  test('goes to another replica when one is gone, and closes when there is none', async () => {
    const there = await fakeEndpoint();
    const gone = `127.0.0.1:${String(await freePort())}`;
    const { mqtt, tls, gateway } = await start({ mqtt: [gone, there.address] });
    for (let n = 0; n < 4; n += 1) expect((await sendRaw(mqtt, CONNECT)).endsWith(CONNECT)).toBe(true);
    expect(await sendRaw(tls, CONNECT)).toBe('');
    await gateway.stop();
    there.stop();
  });
});
