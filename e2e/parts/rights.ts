import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { House } from '../house.ts';
import {
  administrator,
  logIn,
  newCustomer,
  newDevice,
  newName,
  newPerson,
  newUser,
  type Device,
  type Person,
} from '../people.ts';
import { readings } from '../readings.ts';
import { ask, connect, disconnectAll, refusalOf } from '../sockets.ts';
import { read, Visitor, type Answer, type Sending } from '../visitor.ts';

const WithId = z.object({ id: z.string() });
const Items = z.object({ items: z.array(z.object({ id: z.string() })) });
const Document = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

/** Routes that anybody may call. */
const PUBLIC = new Set([
  'POST /user/signup',
  'POST /user/login',
  'POST /user/token',
  'GET /.well-known/jwks.json',
  'GET /debug/provisioning',
  'POST /provisioning/register',
  'POST /provisioning/activate',
  'POST /api/v1/provision',
]);
/** Routes of documents that keep shapes of their own: without a key or a device's token it is FORBIDDEN there, in their words. */
const IN_THEIR_OWN_WORDS = new Set(['GET /auth/devices/request', 'GET /mqtt']);
/** Routes where devices and provisioning keys call too. */
const FOR_DEVICES = new Set(['POST /telemetry', 'POST /provisioning/pair', 'POST /api/provision', 'GET /firmware']);
/** Those of them where nobody else does. */
const DEVICES_ONLY = new Set(['POST /provisioning/pair', 'GET /firmware']);
/** Routes of devices that say who they are in the path: to a token of nobody's the answer is 401 without a word, whoever else calls. */
const TOKEN_IN_PATH = / \/api\/v1\/\{token\}\//;
/** Routes that not even an operator may call for their own customer. */
const ADMINISTRATORS_ONLY =
  /^(?:POST|PATCH|DELETE) \/api\/(?:customers|device-profiles|asset-profiles)|\/api\/telemetry\//;
/** The most changing methods last, so that what a route is tried on is still there for the others. */
const METHODS = ['get', 'patch', 'put', 'post', 'delete'];
/** A claim that comes to nothing, in the words of the API that it is of. */
const CLAIM = 'POST /api/customer/device/{deviceName}/claim';
/** Ends the login that calls it: called last. */
const LOG_OUT = 'POST /user/logout';

/** Who may see and do what. */
export function rights(house: () => House): void {
  describe('rights', () => {
    let customer: string;
    let operator: Person;
    let member: Person;
    let foreignOperator: Person;
    let stranger: Person;
    let device: Device;

    beforeAll(async () => {
      customer = await newCustomer(house());
      [operator, member, foreignOperator, stranger] = await Promise.all([
        newPerson(house(), 'operator', customer),
        newPerson(house(), 'user', customer),
        newPerson(house(), 'operator', await newCustomer(house())),
        newUser(house()),
      ]);
      device = await newDevice(member.visitor);
      await new Visitor(house(), device.token).post('/telemetry', readings(3));
    }, 60_000);
    afterAll(disconnectAll);

    const listed = async ({ visitor }: Pick<Person, 'visitor'>) =>
      read(await visitor.get('/api/devices?limit=1000'), Items).items.map(({ id }) => id);

    test('a user sees their own devices only', async () => {
      const own = await newDevice(stranger.visitor);
      expect(await listed(stranger)).toEqual([own.id]);
      expect(await listed(member)).toEqual([device.id]);
      for (const path of ['', '/latest', '/readings', '/ledger', '/credentials']) {
        expect(await member.visitor.get(`/api/devices/${device.id}${path}`)).toMatchObject({ status: 200 });
        expect(await stranger.visitor.get(`/api/devices/${device.id}${path}`)).toMatchObject({
          status: 404,
          code: 'NOT_FOUND',
        });
      }
    });

    test('an operator sees the devices and people of their customer only', async () => {
      expect(await listed(operator)).toEqual([device.id]);
      expect(await listed(foreignOperator)).toEqual([]);
      const people = read(await operator.visitor.get('/api/users?limit=1000'), Items).items.map(({ id }) => id);
      expect(people.toSorted()).toEqual([operator.id, member.id].toSorted());
      expect(await foreignOperator.visitor.get(`/api/users/${member.id}`)).toMatchObject({ status: 404 });
      expect(await foreignOperator.visitor.get(`/api/customers/${customer}`)).toMatchObject({ status: 404 });
      expect(await operator.visitor.get(`/api/customers/${customer}`)).toMatchObject({ status: 200 });
    });

    test('a device that is not there and one that is somebody else’s get the same answer', async () => {
      const nowhere = device.id.replace(/.{4}$/, '0000');
      const [foreign, missing] = [
        await stranger.visitor.get(`/api/devices/${device.id}`),
        await stranger.visitor.get(`/api/devices/${nowhere}`),
      ];
      expect(foreign.text.replaceAll(device.id, '')).toBe(missing.text.replaceAll(nowhere, ''));
    });

    test('nobody writes readings for a device that they may not use', async () => {
      const reading = { device: device.id, sensor: 's', value: 1 };
      const refused = { accepted: 0, rejected: [{ index: 0, code: 'DEVICE_NOT_ALLOWED' }] };
      expect((await stranger.visitor.post('/telemetry', reading)).body).toMatchObject(refused);
      expect((await foreignOperator.visitor.post('/telemetry', reading)).body).toMatchObject(refused);
      const other = await newDevice(stranger.visitor);
      expect((await new Visitor(house(), other.token).post('/telemetry', reading)).body).toMatchObject(refused);
      expect((await operator.visitor.post('/telemetry', reading)).body).toMatchObject({ accepted: 1, rejected: [] });
    });

    test('nobody watches a device that they may not see, and sees the others of the same subscription', async () => {
      const own = await newDevice(stranger.visitor);
      const viewer = await connect(house(), '/live', stranger.token);
      expect(await ask(viewer, 'subscribe', { devices: [device.id, own.id] })).toMatchObject({
        ok: true,
        devices: [
          { device: device.id, code: 'DEVICE_NOT_ALLOWED' },
          { device: own.id, latest: {} },
        ],
      });
    });

    test('nobody gets in anywhere without a token', async () => {
      for (const namespace of ['/telemetry', '/live']) {
        expect(await refusalOf(house(), namespace, undefined)).toMatchObject({ code: 'UNAUTHENTICATED' });
      }
    });

    test('nobody gives themselves another role or customer', async () => {
      const { visitor, id } = stranger;
      expect(await visitor.patch('/user/me', { role: 'admin' })).toMatchObject({ status: 422 });
      expect(await visitor.patch(`/api/users/${id}`, { role: 'admin' })).toMatchObject({ status: 403 });
      expect(await visitor.post('/api/devices', { name: 'd', customer })).toMatchObject({ status: 422 });
      expect(await operator.visitor.patch(`/api/users/${operator.id}`, { role: 'admin' })).toMatchObject({
        status: 403,
      });
      expect((await visitor.get('/user/me')).body).toMatchObject({ role: 'user', customerId: null });
    });

    test('every documented route answers everybody as it should, and never with an error of ours', async () => {
      const document = read(await new Visitor(house()).get('/docs/openapi.json'), Document);
      const victims = { customer: await newCustomer(house()) };
      const owner = await newPerson(house(), 'operator', victims.customer);
      const victim = await newDevice(owner.visitor);
      const colleague = await newPerson(house(), 'user', victims.customer);
      const things = await thingsOf(owner.visitor, victim);
      const ids: Record<string, string> = {
        '/api/customers': victims.customer,
        '/api/users': colleague.id,
        ...things,
      };
      const idOf = (path: string) =>
        ids[path.split('/', 4).join('/')] ?? ids[path.split('/', 3).join('/')] ?? victim.id;
      const command = await owner.visitor.post(`/api/devices/${victim.id}/commands`, { method: 'x', persist: true });
      const routes = routesOf(document, idOf, {
        credentialId: victim.credentialId,
        userId: colleague.id,
        commandId: read(command, WithId).id,
        deviceName: victim.name,
      });
      expect(routes.length).toBeGreaterThan(60);
      const again = async ({ email, password }: Pick<Person, 'email' | 'password'>) =>
        (await logIn(house(), email, password)).visitor;
      const problems: string[] = [];
      const walk = async (who: string, visitor: Visitor, isRight: (route: Route, answer: Answer) => boolean) => {
        for (const route of routes) {
          const answer = await visitor.call(route.method, route.path, ...sentTo(route, colleague.id));
          const isRefused = answer.status === 401 && answer.text === '';
          if (TOKEN_IN_PATH.test(route.name) ? isRefused : answer.status < 500 && isRight(route, answer)) continue;
          problems.push(`${who}: ${route.name} ${answer.status} ${answer.text.slice(0, 200)}`);
        }
      };
      await walk('nobody', new Visitor(house()), ({ name }, { status, code }) =>
        isOpen(name) ? code !== 'UNAUTHENTICATED' : status === 401 && code === 'UNAUTHENTICATED',
      );
      await walk('a user', await again(stranger), isStrangers);
      await walk('a foreign operator', await again(foreignOperator), isStrangers);
      await walk('a device', new Visitor(house(), device.token), ({ name }, { status }) =>
        isOpen(name) || FOR_DEVICES.has(name) ? status !== 401 : status === 401,
      );
      await walk('the operator', await again(owner), ({ name, method }, { status }) => {
        if (isOpen(name)) return true;
        if (DEVICES_ONLY.has(name)) return status === 403;
        if (ADMINISTRATORS_ONLY.test(name)) return status === 403;
        return method === 'GET' ? status === 200 : status !== 401;
      });
      await walk('the administrator', await again(house().admin), ({ name }, { status }) =>
        isOpen(name) || DEVICES_ONLY.has(name) ? true : status !== 401 && status !== 403,
      );
      expect(problems).toEqual([]);
    }, 60_000);
  });
}

const BYTES = { 'content-type': 'application/octet-stream' };

/** A body that is valid where an empty one is not, so that rights are what decides. */
function sentTo({ name, method }: Route, userId: string): [body?: object, sending?: Sending] {
  if (method === 'GET') return [];
  if (name === 'PUT /api/devices/{id}/shares') return [{ user: userId, access: 'read' }];
  if (name === 'POST /api/provisioning/jobs')
    return [undefined, { raw: 'name\n', headers: { 'content-type': 'text/csv' } }];
  if (name === 'POST /api/firmware') return [undefined, { raw: 'x', headers: BYTES }];
  if (name === 'PUT /api/devices/{id}/firmware') return [{ package: userId }];
  if (name === 'PATCH /api/firmware/rollouts/{id}') return [{ percent: 2 }];
  if (name === 'POST /api/devices/{id}/commands') return [{ method: 'x', persist: true }];
  return [{}];
}

interface Route {
  /** As in the document, for example `GET /api/devices/{id}`. */
  name: string;
  method: string;
  path: string;
}

const isOpen = (name: string): boolean => PUBLIC.has(name) || IN_THEIR_OWN_WORDS.has(name);

/** One thing of everything that the registry and provisioning keep for a customer, by the path of its kind. */
async function thingsOf(operator: Visitor, device: Device): Promise<Record<string, string>> {
  const admin = await administrator(operator.house);
  const made = async (visitor: Visitor, path: string, body: object) => read(await visitor.post(path, body), WithId).id;
  const deviceProfile = await made(admin, '/api/device-profiles', { name: newName('profile') });
  const assetProfile = await made(admin, '/api/asset-profiles', { name: newName('profile') });
  const asset = await made(operator, '/api/assets', { name: newName('asset'), profile: assetProfile });
  const relation = await made(operator, '/api/relations', { from: asset, to: device.id });
  const key = await made(operator, '/api/provisioning/keys', { name: newName('key') });
  const file = { raw: 'name\nfrom a file\n', headers: { 'content-type': 'text/csv' } };
  const { id: job } = read(await operator.post('/api/provisioning/jobs', undefined, file), WithId);
  const title = newName('package').replace(' ', '-');
  const upload = await operator.post(`/api/firmware?title=${title}&version=1`, undefined, { raw: 'x', headers: BYTES });
  const { id: firmware } = read(upload, WithId);
  const rollout = { package: firmware, profile: deviceProfile, percent: 1 };
  return {
    '/api/firmware': firmware,
    '/api/firmware/rollouts': await made(operator, '/api/firmware/rollouts', rollout),
    '/api/device-profiles': deviceProfile,
    '/api/asset-profiles': assetProfile,
    '/api/assets': asset,
    '/api/relations': relation,
    '/api/provisioning/keys': key,
    '/api/provisioning/jobs': job,
  };
}

/** Every route of the document, on things of one victim, the destructive ones last. */
function routesOf(
  { paths }: z.output<typeof Document>,
  idOf: (path: string) => string,
  parts: Record<string, string>,
): Route[] {
  const routes = Object.entries(paths).flatMap(([template, methods]) =>
    Object.keys(methods).map((method) => ({
      name: `${method.toUpperCase()} ${template}`,
      method: method.toUpperCase(),
      path: template.replace(/\{(\w+)\}/g, (_, part: string) => parts[part] ?? idOf(template)),
    })),
  );
  const rank = ({ name, method }: Route) => (name === LOG_OUT ? METHODS.length : METHODS.indexOf(method.toLowerCase()));
  return routes.toSorted((a, b) => rank(a) - rank(b) || b.path.length - a.path.length);
}

/** Somebody with a token who has nothing to do with the thing: it is forbidden, not there, or their input is not valid. */
function isStrangers({ name, path }: Route, { status }: Answer): boolean {
  if (IN_THEIR_OWN_WORDS.has(name)) return status === 403;
  if (PUBLIC.has(name) || /^\/(?:user|telemetry|docs)\b/.test(path)) return status !== 403;
  if (/^GET \/api\/(?:device|asset)-profiles/.test(name)) return status === 200;
  if (name === CLAIM) return status === 400;
  return name.includes('{') ? status === 403 || status === 404 : [200, 403, 422].includes(status);
}
