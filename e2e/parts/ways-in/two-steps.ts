import { afterAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { House } from '../../house.ts';
import { administrator, newMac, newName, newPerson } from '../../people.ts';
import { readings } from '../../readings.ts';
import { ask, connect, disconnectAll, refusalOf } from '../../sockets.ts';
import { read, Visitor, type Answer } from '../../visitor.ts';

const WithId = z.object({ id: z.string() });
const Password = z.strictObject({ password: z.string().min(16) });
const Devices = z.object({ items: z.array(z.object({ id: z.string(), state: z.string() })) });

/** Document 001: register, keep the password, activate. */
export function twoSteps(house: () => House): void {
  describe('two steps', () => {
    afterAll(disconnectAll);

    const newCustomer = async (fields: object = {}) => {
      const number = newName('c').replace(' ', '-');
      const admin = await administrator(house());
      const { id } = read(await admin.post('/api/customers', { number, name: number, ...fields }), WithId);
      return { id, number };
    };
    const step = (name: 'register' | 'activate', body: object): Promise<Answer> =>
      new Visitor(house()).post(`/provisioning/${name}`, body);
    const registered = async (device: object): Promise<string> => {
      const { password } = read(await step('register', device), Password);
      house().secrets.add(password);
      return password;
    };
    const basic = (userName: string, password: string) => ({
      headers: { authorization: `Basic ${Buffer.from(`${userName}:${password}`).toString('base64')}` },
    });
    const refused = { status: 403, body: { error: expect.any(String) } };

    test('lead from a customer number and a MAC address to readings, with a password that works once it is activated', async () => {
      const { id: customer, number } = await newCustomer();
      const mac = newMac();
      const device = { customer_id: number, mac_address: mac.toLowerCase() };
      const answer = await step('register', device);
      expect(answer).toMatchObject({ status: 201, body: { password: expect.any(String) } });
      const first = read(answer, Password).password;
      const userName = `${number}/${mac.toLowerCase().replaceAll(':', '-')}`;
      const send = (password: string) =>
        new Visitor(house()).post('/telemetry', readings(2), basic(userName, password));
      expect(await send(first)).toMatchObject({ status: 401 });

      const second = await registered({ ...device, mac_address: mac.replaceAll(':', '') });
      expect(second).not.toBe(first);
      expect(await step('activate', { ...device, password: first })).toMatchObject(refused);
      const activated = await step('activate', { ...device, password: second });
      expect(activated).toMatchObject({ status: 200, text: '' });
      expect(await step('activate', { ...device, password: second })).toMatchObject({ status: 200, text: '' });
      expect(await step('activate', { ...device, password: first })).toMatchObject(refused);
      expect(await step('register', device)).toMatchObject(refused);

      expect(await send(second)).toMatchObject({ status: 200, body: { accepted: 2 } });
      const socket = await connect(house(), '/telemetry', '', { auth: { userName, password: second } });
      expect(await ask(socket, 'readings', readings(3))).toMatchObject({ ok: true, accepted: 3 });
      const admin = await administrator(house());
      const { items } = read(await admin.get(`/api/devices?customer=${customer}`), Devices);
      expect(items).toEqual([expect.objectContaining({ state: 'active' })]);
    });

    test('refuse an unknown customer and a customer that is full, fifty at once or not', async () => {
      expect(await step('register', { customer_id: newName('nobody'), mac_address: newMac() })).toMatchObject(refused);
      const { id, number } = await newCustomer({ deviceLimit: 10 });
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => step('register', { customer_id: number, mac_address: newMac() })),
      );
      const full = answers.filter(({ status }) => status === 403);
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
      expect(full).toHaveLength(40);
      expect(full[0]).toMatchObject(refused);
      const admin = await administrator(house());
      expect((await admin.get(`/api/customers/${id}`)).body).toMatchObject({ deviceCount: 10 });
    });

    test('make one device, however many ask for the same MAC address at once', async () => {
      const { id, number } = await newCustomer();
      const device = { customer_id: number, mac_address: newMac() };
      const passwords = await Promise.all(Array.from({ length: 50 }, () => registered(device)));
      const answers = [];
      for (const password of passwords) answers.push(await step('activate', { ...device, password }));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const admin = await administrator(house());
      expect((await admin.get(`/api/customers/${id}`)).body).toMatchObject({ deviceCount: 1 });
    });

    test('can be taken again after a reset, which ends the old password at once and keeps what was stored', async () => {
      const { id: customer, number } = await newCustomer();
      const device = { customer_id: number, mac_address: newMac() };
      const userName = `${number}/${device.mac_address}`;
      const lost = await registered(device);
      await step('activate', { ...device, password: lost });
      const socket = await connect(house(), '/telemetry', '', { auth: { userName, password: lost } });
      expect(await ask(socket, 'readings', readings(5))).toMatchObject({ accepted: 5 });
      const operator = await newPerson(house(), 'operator', customer);
      const [found] = read(await operator.visitor.get('/api/devices'), Devices).items;
      const ended = new Promise((resolve) => socket.once('disconnect', resolve));
      expect(await operator.visitor.post(`/api/devices/${found!.id}/reset`)).toMatchObject({ status: 204 });
      await ended;
      expect(await refusalOf(house(), '/telemetry', undefined, { auth: { userName, password: lost } })).toMatchObject({
        code: 'BAD_CREDENTIALS',
      });
      const password = await registered(device);
      expect(await step('activate', { ...device, password })).toMatchObject({ status: 200 });
      const again = await new Visitor(house()).post('/telemetry', readings(1, 'other'), basic(userName, password));
      expect(again).toMatchObject({ status: 200, body: { accepted: 1 } });
      expect(read(await operator.visitor.get('/api/devices'), Devices).items).toHaveLength(1);
      expect((await operator.visitor.get(`/api/devices/${found!.id}/ledger`)).body).toMatchObject({ received: 6 });
    });

    test('name what is wrong with what is no request of theirs', async () => {
      const { number } = await newCustomer();
      const good = { customer_id: number, mac_address: newMac() };
      for (const body of [
        { ...good, mac_address: 'not hex' },
        { customer_id: number },
        { ...good, mac_address: 7 },
        [],
      ]) {
        expect(await step('register', body)).toMatchObject({ status: 422, body: { error: expect.any(String) } });
      }
      const malformed = await new Visitor(house()).post('/provisioning/register', undefined, { raw: '{"customer_id' });
      expect(malformed).toMatchObject({ status: 400, body: { error: expect.any(String) } });
    });
  });
}
