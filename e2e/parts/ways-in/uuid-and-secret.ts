import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { DeviceKeys, House } from '../../house.ts';
import { administrator, newDevice } from '../../people.ts';
import { readings } from '../../readings.ts';
import { ask, connect, disconnectAll } from '../../sockets.ts';
import { read, Visitor, type Answer } from '../../visitor.ts';

const Given = z.strictObject({ c: z.literal('OK'), t: z.string() });

/** Document 002: a uuid, and the secret key of the fleet. */
export function uuidAndSecret(house: () => House): void {
  describe('uuid and secret key', () => {
    let keys: DeviceKeys;

    beforeAll(() => {
      const { deviceKeys } = house();
      if (!deviceKeys) throw new Error('DEVICE_MASTER_SECRET_KEY and DEVICE_AGENT_SECRET_KEY of the house are needed');
      keys = deviceKeys;
    });
    afterAll(disconnectAll);

    const request = (query: string, key?: string): Promise<Answer> =>
      new Visitor(house()).get(
        `/auth/devices/request?${query}`,
        key === undefined ? {} : { headers: { 'x-secret-key': key } },
      );
    const tokenOf = (answer: Answer): string => {
      const { t } = read(answer, Given);
      house().secrets.add(t);
      return t;
    };

    test('give a token that connects, sends, and tells where MQTT is', async () => {
      const uuid = randomUUID();
      const token = tokenOf(await request(`uuid=${uuid}`, keys.master));
      const socket = await connect(house(), '/telemetry', token);
      expect(await ask(socket, 'readings', readings(2))).toMatchObject({ ok: true, accepted: 2 });
      expect((await new Visitor(house(), token).get('/mqtt')).body).toEqual({
        c: 'OK',
        ip: new URL(house().mqttUrl).host,
      });
      expect(tokenOf(await request(`uuid=${uuid.toUpperCase()}`, keys.master))).toEqual(expect.any(String));
      const bearer = { headers: { authorization: `Bearer ${keys.master}` } };
      expect(await new Visitor(house()).get(`/auth/devices/request?uuid=${uuid}`, bearer)).toMatchObject({
        status: 200,
      });
      const admin = await administrator(house());
      expect((await admin.get(`/api/devices/${uuid}`)).body).toMatchObject({ id: uuid, kind: 'master' });
      expect((await admin.get(`/api/devices/${uuid}/ledger`)).body).toMatchObject({ received: 2 });
    });

    test('assign an agent to the master that it names, once', async () => {
      const [master, other, agent] = [randomUUID(), randomUUID(), randomUUID()];
      for (const uuid of [master, other]) tokenOf(await request(`uuid=${uuid}`, keys.master));
      tokenOf(await request(`uuid=${agent}&master=${master}`, keys.agent));
      tokenOf(await request(`uuid=${agent}`, keys.agent));
      const admin = await administrator(house());
      expect((await admin.get(`/api/devices/${agent}`)).body).toMatchObject({ kind: 'agent', master });
      expect(await request(`uuid=${agent}&master=${other}`, keys.agent)).toMatchObject({
        status: 403,
        body: { c: 'FORBIDDEN' },
      });
      expect(await admin.patch(`/api/devices/${agent}`, { master: other })).toMatchObject({ status: 200 });
      tokenOf(await request(`uuid=${agent}&master=${other}`, keys.agent));
    });

    test('refuse whoever lacks the key, and what is no uuid, in the shape of the document', async () => {
      const uuid = randomUUID();
      const forbidden = { status: 403, body: { c: 'FORBIDDEN' } };
      expect(await request(`uuid=${uuid}`)).toMatchObject(forbidden);
      expect(await request(`uuid=${uuid}`, `${keys.master.slice(0, -1)}!`)).toMatchObject(forbidden);
      expect(await request('uuid=no-uuid', keys.master)).toMatchObject({ status: 400, body: { c: 'ERROR' } });
      expect(await request('', keys.master)).toMatchObject({ status: 400, body: { c: 'ERROR' } });
      expect((await new Visitor(house()).get('/mqtt')).body).toEqual({ c: 'FORBIDDEN' });
      expect((await new Visitor(house(), 'not.a.token').get('/mqtt')).body).toEqual({ c: 'FORBIDDEN' });
      const admin = await administrator(house());
      expect(await admin.get(`/api/devices/${uuid}`)).toMatchObject({ status: 404 });
    });

    test('never give away a device that came in by another way', async () => {
      const { id } = await newDevice(await administrator(house()));
      expect(await request(`uuid=${id}`, keys.master)).toMatchObject({ status: 403, body: { c: 'FORBIDDEN' } });
      expect(await request(`uuid=${id}`, keys.agent)).toMatchObject({ status: 403, body: { c: 'FORBIDDEN' } });
    });

    test('end a connection at once when the credential is revoked', async () => {
      const uuid = randomUUID();
      const socket = await connect(house(), '/telemetry', tokenOf(await request(`uuid=${uuid}`, keys.agent)));
      const ended = new Promise((resolve) => socket.once('disconnect', resolve));
      const admin = await administrator(house());
      const Credentials = z.object({ items: z.array(z.object({ id: z.string(), kind: z.string() })) });
      const [credential] = read(await admin.get(`/api/devices/${uuid}/credentials`), Credentials).items;
      expect(credential?.kind).toBe('device-jwt');
      expect(await admin.delete(`/api/devices/${uuid}/credentials/${credential!.id}`)).toMatchObject({ status: 204 });
      await ended;
    });
  });
}
