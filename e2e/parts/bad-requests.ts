import { beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { House } from '../house.ts';
import {
  administrator,
  newCustomer,
  newDevice,
  newMac,
  newName,
  newUser,
  type Device,
  type Person,
} from '../people.ts';
import { read, Visitor, type Answer } from '../visitor.ts';

const SQL = [
  "' OR '1'='1",
  "x'; DROP TABLE users; --",
  '" OR ""="',
  '1) OR (1=1',
  "%' UNION SELECT * FROM users --",
  '\\',
];
const OPERATORS = [{ $ne: null }, { $gt: '' }, { $where: 'sleep(1000)' }, [{ $ne: 1 }], ['a', 'b']];
const Problem = z.object({
  type: z.string().min(1),
  title: z.string().min(1),
  status: z.number(),
  detail: z.string().min(1),
  code: z.string().regex(/^[A-Z_]+$/),
  errors: z.array(z.object({ path: z.string(), message: z.string().min(1) })).optional(),
});
const Items = z.object({ items: z.array(z.unknown()) });

/** Bad input over HTTP, at every service. */
export function badRequests(house: () => House): void {
  describe('bad requests', () => {
    let admin: Visitor;
    let person: Person;
    let device: Device;
    let sender: Visitor;
    let foreign: Device;

    beforeAll(async () => {
      admin = await administrator(house());
      person = await newUser(house());
      device = await newDevice(person.visitor);
      foreign = await newDevice((await newUser(house())).visitor);
      sender = new Visitor(house(), device.token);
    });

    /** One route of every service that takes a body. */
    const withBody = (): [Visitor, string][] => [
      [new Visitor(house()), '/user/signup'],
      [new Visitor(house()), '/user/login'],
      [admin, '/api/customers'],
      [person.visitor, '/api/devices'],
      [sender, '/telemetry'],
    ];

    const isProblem = (answer: Answer, status: number, code: string): void => {
      expect(answer).toMatchObject({ status, code });
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(Problem.parse(answer.body).status).toBe(status);
    };

    test.each([
      ['cut off', '{"name": "x"'],
      ['NaN', '{"sensor":"s","value":NaN}'],
      ['Infinity', '{"sensor":"s","value":-Infinity}'],
      ['single quotes', "{'sensor':'s'}"],
      ['a comma too many', '{"sensor":"s",}'],
      ['no JSON at all', 'sensor=s&value=1'],
      ['a bare word', 'undefined'],
      ['control characters', '{"sensor":"a\u0001b"}'],
    ])('JSON that is not valid (%s) is MALFORMED_JSON everywhere', async (_, raw) => {
      for (const [visitor, path] of withBody()) {
        isProblem(await visitor.post(path, undefined, { raw }), 400, 'MALFORMED_JSON');
      }
    });

    test('a body of another media type is refused by it', async () => {
      for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'nonsense']) {
        for (const [visitor, path] of withBody()) {
          const answer = await visitor.post(path, undefined, { raw: '{}', headers: { 'content-type': type } });
          isProblem(answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
        }
      }
    });

    test('a body above 1 MiB is refused, and the next request is served', async () => {
      const raw = JSON.stringify({ sensor: 's', value: 'x'.repeat(1_100_000) });
      for (const [visitor, path] of withBody()) {
        isProblem(await visitor.post(path, undefined, { raw }), 413, 'BODY_TOO_LARGE');
        expect(await person.visitor.get('/user/me')).toMatchObject({ status: 200 });
      }
    });

    test('JSON that is nested a hundred thousand deep is refused', async () => {
      for (const [open, close] of [
        ['[', ']'],
        ['{"a":', '}'],
      ] as const) {
        const raw = `${open.repeat(100_000)}${open === '[' ? '' : '1'}${close.repeat(100_000)}`;
        for (const [visitor, path] of withBody()) {
          const answer = await visitor.post(path, undefined, { raw });
          expect([200, 400, 413, 422]).toContain(answer.status);
          if (answer.status === 200) expect(answer.body).toMatchObject({ accepted: 0 });
        }
      }
    });

    test('bodies that are no objects are not valid', async () => {
      for (const raw of ['null', '7', '"text"', '[]', '[{}]', 'true']) {
        for (const [visitor, path] of withBody().slice(0, 4)) {
          const answer = await visitor.post(path, undefined, { raw });
          expect([path, raw, answer.code]).toEqual([path, raw, expect.stringMatching(/INVALID_INPUT|MALFORMED_JSON/)]);
        }
      }
    });

    test('every offending place of an input is named', async () => {
      const signUp = { name: '', email: 'nobody', password: 'short', role: 'admin' };
      const answer = await new Visitor(house()).post('/user/signup', signUp);
      isProblem(answer, 422, 'INVALID_INPUT');
      const paths = Problem.parse(answer.body).errors?.map(({ path }) => path);
      expect(paths?.toSorted()).toEqual(['/email', '/name', '/password', '/role']);
      const made = await person.visitor.post('/api/devices', {
        name: 5,
        kind: 'toaster',
        labels: 'x',
        macAddress: 'GG',
        extra: 1,
      });
      isProblem(made, 422, 'INVALID_INPUT');
      expect(
        Problem.parse(made.body)
          .errors?.map(({ path }) => path)
          .toSorted(),
      ).toEqual(['/extra', '/kind', '/labels', '/macAddress', '/name']);
    });

    test('what is too long, of the wrong type, or has characters that nobody can see, is not valid', async () => {
      const anybody = new Visitor(house());
      const good = { name: 'n', email: 'a@people.example', password: 'long enough 1' };
      const people = [
        { ...good, name: 'n'.repeat(201) },
        { ...good, name: 'a\u0000b' },
        { ...good, name: '\ud83d' },
        { ...good, email: `${'a'.repeat(250)}@people.example` },
        { ...good, email: ['a@people.example'] },
        { ...good, email: 'a@b@c' },
        { ...good, password: 'p'.repeat(1_025) },
        { ...good, password: 12_345_678 },
        { ...good, password: null },
      ];
      for (const body of people) isProblem(await anybody.post('/user/signup', body), 422, 'INVALID_INPUT');
      const things = [
        { name: 'n'.repeat(129) },
        { name: '   ' },
        { name: 'a\u0000b' },
        { name: 'n', serial: 's'.repeat(129) },
        { name: 'n', labels: Array.from({ length: 33 }, (_, index) => `label ${index}`) },
        { name: 'n', attributes: { text: 'x'.repeat(20_000) } },
        { name: 'n', attributes: [1] },
        { name: 'n', customer: randomUUID() },
        { name: 'n', master: randomUUID() },
        { name: 'n', master: foreign.id },
        { name: 'n', macAddress: 'AA'.repeat(21) },
      ];
      for (const body of things) {
        const answer = await person.visitor.post('/api/devices', body);
        expect([body, answer.status, answer.code]).toEqual([body, 422, 'INVALID_INPUT']);
      }
      for (const body of [
        { number: '', name: 'n' },
        { number: 'n', name: 'n', deviceLimit: -1 },
        { number: 'n', name: 'n', deviceLimit: 1.5 },
        { number: 'n', name: 'n', deviceLimit: '7' },
      ]) {
        isProblem(await admin.post('/api/customers', body), 422, 'INVALID_INPUT');
      }
    });

    test('nobody’s prototype is polluted', async () => {
      const raw = (fields: string) => ({ raw: `{${fields},"__proto__":{"role":"admin","isAdmin":true}}` });
      const email = `${randomUUID()}@people.example`;
      const signUp = await new Visitor(house()).post(
        '/user/signup',
        undefined,
        raw(`"name":"n","email":"${email}","password":"long enough 1"`),
      );
      expect([201, 422]).toContain(signUp.status);
      for (const path of ['/user/me', `/api/devices/${device.id}`]) {
        const changed = await person.visitor.patch(path, undefined, raw('"name":"n"'));
        expect([200, 422]).toContain(changed.status);
        expect(changed.text).not.toContain('isAdmin');
      }
      expect((await person.visitor.get('/user/me')).body).toMatchObject({ role: 'user' });
      await person.visitor.patch(`/api/devices/${device.id}`, undefined, {
        raw: '{"attributes":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
      });
      const next = await newUser(house());
      expect((await next.visitor.get('/user/me')).body).toMatchObject({ role: 'user' });
      expect(await next.visitor.get('/api/users')).toMatchObject({ status: 403 });
      const made = await next.visitor.post('/api/devices', { name: 'clean' });
      expect(made).toMatchObject({ status: 201, body: { attributes: {} } });
      expect(made.text).not.toContain('polluted');
    });

    test('SQL in any field is text, and in any query finds nothing that is somebody else’s', async () => {
      const anybody = new Visitor(house());
      for (const text of SQL) {
        const login = await anybody.post('/user/login', { email: text, password: text });
        expect([text, login.status, login.code]).toEqual([text, 401, 'BAD_CREDENTIALS']);
        const named = await person.visitor.post('/api/devices', {
          name: text,
          serial: text,
          labels: [text],
          attributes: { [text]: text },
        });
        expect(named).toMatchObject({
          status: 201,
          body: { name: text, serial: text, labels: [text], attributes: { [text]: text } },
        });
        const { id } = read(named, z.object({ id: z.string() }));
        expect(await person.visitor.delete(`/api/devices/${id}`)).toMatchObject({ status: 204 });
        const query = encodeURIComponent(text);
        for (const field of [
          'q',
          'serial',
          'label',
          'customer',
          'owner',
          'kind',
          'macAddress',
          'sort',
          'cursor',
          'limit',
          'master',
        ]) {
          const answer = await person.visitor.get(`/api/devices?${field}=${query}`);
          expect([200, 422]).toContain(answer.status);
          if (answer.status === 200) expect(answer.text).not.toContain(foreign.id);
        }
        for (const field of ['sensor', 'from', 'to', 'order', 'cursor', 'limit']) {
          expect(await person.visitor.get(`/api/devices/${device.id}/readings?${field}=${query}`)).toMatchObject({
            status: 422,
          });
        }
        expect(await person.visitor.get(`/api/devices/${device.id}/latest?sensors=${query}`)).toMatchObject({
          status: 422,
        });
        expect(await person.visitor.get(`/api/devices/${query}`)).toMatchObject({ status: 422 });
        expect(await person.visitor.get(`/api/devices/${query}/latest`)).toMatchObject({ status: 422 });
        const provisioned = await anybody.get(`/debug/provisioning?mac-address=${query}`);
        expect([400, 403, 422]).toContain(provisioned.status);
        for (const path of ['users', 'customers']) {
          const found = await admin.get(`/api/${path}?q=${query}`);
          expect(read(found, Items).items).toEqual([]);
        }
      }
    });

    test('operators of a document database in any field or query are not valid', async () => {
      const anybody = new Visitor(house());
      for (const operator of OPERATORS) {
        isProblem(await anybody.post('/user/login', { email: operator, password: operator }), 422, 'INVALID_INPUT');
        isProblem(
          await anybody.post('/user/signup', { name: operator, email: operator, password: operator }),
          422,
          'INVALID_INPUT',
        );
        isProblem(await anybody.post('/user/token', { refreshToken: operator }), 422, 'INVALID_INPUT');
        isProblem(
          await person.visitor.post('/api/devices', { name: operator, customer: operator }),
          422,
          'INVALID_INPUT',
        );
        isProblem(await admin.post('/api/customers', { number: operator, name: operator }), 422, 'INVALID_INPUT');
        isProblem(await admin.patch(`/api/users/${person.id}`, { customer: operator }), 422, 'INVALID_INPUT');
      }
      const readings = `/api/devices/${device.id}/readings`;
      for (const query of [
        'sensor[$ne]=x',
        'from[$gt]=0',
        'limit[$gt]=1',
        'sensor=a&sensor=b',
        'cursor[$ne]=',
        'everything=1',
        '__proto__[x]=1',
      ]) {
        expect([query, (await person.visitor.get(`${readings}?${query}`)).code]).toEqual([query, 'INVALID_INPUT']);
      }
      for (const query of [
        'q[$ne]=x',
        'q=a&q=b',
        'limit=0',
        'limit=1001',
        'limit=1e3x',
        'limit=NaN',
        'limit=Infinity',
        'everything=1',
        'cursor=bm9uc2Vuc2U',
        `cursor=${'x'.repeat(3_000)}`,
      ]) {
        expect([query, (await person.visitor.get(`/api/devices?${query}`)).code]).toEqual([query, 'INVALID_INPUT']);
      }
    });

    test('what is not there is a problem document too', async () => {
      for (const path of ['/nowhere', '/api/nowhere', '/telemetry/nowhere', '/api/devices/../../etc/passwd']) {
        const answer = await person.visitor.get(path);
        expect([path, answer.status]).toEqual([path, 404]);
        isProblem(answer, 404, 'NOT_FOUND');
      }
      const wrongMethod = await person.visitor.call('PUT', '/user/login', {});
      expect([404, 405]).toContain(wrongMethod.status);
    });

    test('an id that is no id is not valid, and paths with bytes that are no text are refused', async () => {
      for (const id of ['1', 'null', '00000000', '%00', 'a'.repeat(300)]) {
        expect([id, (await person.visitor.get(`/api/devices/${id}/latest`)).status]).toEqual([id, expect.any(Number)]);
      }
      const answer = await person.visitor.get('/api/devices/%ff%fe');
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    });

    test('a name or MAC that fifty requests want at once is given once', async () => {
      const email = `${randomUUID()}@people.example`;
      const signUps = await fifty(() =>
        new Visitor(house()).post('/user/signup', { name: 'n', email, password: 'long enough 1' }),
      );
      expect(signUps).toEqual({ 201: 1, EMAIL_TAKEN: 49 });
      const number = newName('number');
      expect(await fifty(() => admin.post('/api/customers', { number, name: 'n' }))).toEqual({
        201: 1,
        CUSTOMER_NUMBER_TAKEN: 49,
      });
      const [customer, macAddress] = [await newCustomer(house()), newMac()];
      expect(await fifty(() => admin.post('/api/devices', { name: 'd', customer, macAddress }))).toEqual({
        201: 1,
        MAC_TAKEN: 49,
      });
      const limited = await newCustomer(house(), { deviceLimit: 7 });
      expect(await fifty(() => admin.post('/api/devices', { name: 'd', customer: limited }))).toEqual({
        201: 7,
        DEVICE_LIMIT_REACHED: 43,
      });
    }, 60_000);

    test('a refresh token that fifty requests present at once is used once', async () => {
      const { refreshToken } = await newUser(house());
      const answers = await fifty(() => new Visitor(house()).post('/user/token', { refreshToken }));
      expect(answers[200]).toBe(1);
    });

    test('a MAC that is provisioned fifty times at once is one device', async () => {
      const mac = newMac();
      const tokens = new Set<string>();
      const answers = await fifty(async () => {
        const answer = await new Visitor(house()).get(`/debug/provisioning?mac-address=${mac}`);
        tokens.add(answer.text);
        return answer;
      });
      if (!house().own && 'DEBUG_PROVISIONING_OFF' in answers) return;
      expect(answers).toEqual({ 200: 50 });
      expect(tokens.size).toBe(1);
      expect(read(await admin.get(`/api/devices?macAddress=${mac}`), Items).items).toHaveLength(1);
    });

    test('a change that was based on an older version is refused', async () => {
      const path = `/api/devices/${device.id}`;
      const tag = (await person.visitor.get(path)).headers.get('etag') ?? '';
      const headers = { 'if-match': tag };
      expect(await person.visitor.patch(path, { name: 'first' }, { headers })).toMatchObject({ status: 200 });
      isProblem(await person.visitor.patch(path, { name: 'second' }, { headers }), 412, 'VERSION_MISMATCH');
    });

    test('repeated wrong passwords make that account wait, and nobody else', async () => {
      const victim = await newUser(house());
      const codes: (string | undefined)[] = [];
      let last: Answer | undefined;
      for (let attempt = 0; attempt < 12; attempt += 1) {
        last = await new Visitor(house()).post('/user/login', { email: victim.email, password: 'wrong password' });
        codes.push(last.code);
      }
      expect(codes.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 'BAD_CREDENTIALS'));
      isProblem(last!, 429, 'TOO_MANY_ATTEMPTS');
      expect(Number(last!.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await victim.visitor.get('/user/me')).toMatchObject({ status: 200 });
      expect((await newUser(house())).token).toEqual(expect.any(String));
    });
  });
}

/** Sends the same fifty times at once; how many got which status or code. */
async function fifty(send: () => Promise<Answer>): Promise<Record<string, number>> {
  const answers = await Promise.all(Array.from({ length: 50 }, send));
  const counts: Record<string, number> = {};
  for (const { status, code } of answers) {
    const what = code ?? String(status);
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}
