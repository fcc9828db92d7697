import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { JobView } from '#contracts';
import { waitUntil } from '#testing';
import type { House } from '../../house.ts';
import { newCustomer, newPerson, newUser } from '../../people.ts';
import { ask, connect, disconnectAll } from '../../sockets.ts';
import { read, type Answer, type Visitor } from '../../visitor.ts';

const WithId = z.object({ id: z.string() });

/** Files of devices. */
export function imports(house: () => House): void {
  describe('a file of devices', () => {
    afterAll(disconnectAll);

    const upload = (visitor: Visitor, raw: string | Uint8Array<ArrayBuffer>, type = 'text/csv'): Promise<Answer> =>
      visitor.post('/api/provisioning/jobs', undefined, { raw, headers: { 'content-type': type } });
    const finished = (visitor: Visitor, id: string) =>
      waitUntil(
        async () => {
          const job = read(await visitor.get(`/api/provisioning/jobs/${id}`), JobView);
          return job.state !== 'running' && job;
        },
        { what: `the import ${id} is finished`, timeoutMs: 30_000 },
      );
    const imported = async (visitor: Visitor, raw: string, type?: string) =>
      finished(visitor, read(await upload(visitor, raw, type), WithId).id);

    test('is checked line by line, made, watched, and changes nothing the second time', async () => {
      const customer = await newCustomer(house());
      const operator = await newPerson(house(), 'operator', customer);
      const prefix = randomUUID().slice(0, 8);
      const rows = Array.from({ length: 3_000 }, (_, index) => `Sensor ${index},${prefix}-${index},a;b`);
      rows[10] = ',no name,';
      rows[20] = rows[21]!.replace('Sensor 21', 'Sensor 21 but another');
      const file = ['name,serial,labels', ...rows, ''].join('\r\n');
      const answer = await upload(operator.visitor, file);
      expect(answer.status).toBe(202);
      const { id } = read(answer, WithId);
      const viewer = await connect(house(), '/live', operator.token);
      const events: unknown[] = [];
      viewer.on('job', (event) => events.push(event));
      const subscribed = await ask(viewer, 'subscribe', { jobs: [id] });
      expect(subscribed).toMatchObject({ ok: true, jobs: [{ job: { id } }] });
      events.push(subscribed);
      expect(await finished(operator.visitor, id)).toMatchObject({
        state: 'done',
        total: 3_000,
        processed: 3_000,
        created: 2_998,
        unchanged: 0,
        failed: 2,
      });
      await waitUntil(() => JSON.stringify(events).includes('"state":"done"'), { what: 'the viewer hears of the end' });
      const errors = (await operator.visitor.get(`/api/provisioning/jobs/${id}/errors`)).text.trim().split(/\r?\n/);
      expect(errors[0]).toBe('line,field,code,message');
      expect(errors.slice(1)).toEqual([
        expect.stringMatching(/^12,name,/),
        expect.stringMatching(/^23,.*DEVICE_EXISTS/),
      ]);
      expect(await imported(operator.visitor, file)).toMatchObject({ created: 0, unchanged: 2_998, failed: 2 });
      expect((await operator.visitor.get(`/api/customers/${customer}`)).body).toMatchObject({ deviceCount: 2_998 });
    });

    test('may have one device a line, as JSON', async () => {
      const operator = await newPerson(house(), 'operator', await newCustomer(house()));
      const lines = [
        { name: 'one', labels: ['x'], kind: 'gateway', attributes: { floor: 1 } },
        { name: 'two', serial: 'S' },
      ];
      const file = `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"name": 7}\nnot json\n`;
      expect(await imported(operator.visitor, file, 'application/x-ndjson')).toMatchObject({ created: 2, failed: 2 });
    });

    test('stops at the limit of the customer, and nobody else sees it', async () => {
      const customer = await newCustomer(house(), { deviceLimit: 5 });
      const operator = await newPerson(house(), 'operator', customer);
      const job = await imported(
        operator.visitor,
        `name\n${Array.from({ length: 9 }, (_, n) => `d${n}`).join('\n')}\n`,
      );
      expect(job).toMatchObject({ created: 5, failed: 4 });
      const foreign = await newPerson(house(), 'operator', await newCustomer(house()));
      for (const path of [`/api/provisioning/jobs/${job.id}`, `/api/provisioning/jobs/${job.id}/errors`]) {
        expect(await foreign.visitor.get(path)).toMatchObject({ status: 404 });
      }
      expect((await foreign.visitor.get('/api/provisioning/jobs')).text).not.toContain(job.id);
      expect(await upload((await newUser(house())).visitor, 'name\nx\n')).toMatchObject({ status: 403 });
    });

    test('is refused as a whole with the column or line that is wrong, and nothing of it is made', async () => {
      const customer = await newCustomer(house());
      const { visitor } = await newPerson(house(), 'operator', customer);
      const refused: [file: string | Uint8Array<ArrayBuffer>, word: RegExp][] = [
        ['', /no devices/],
        ['serial,labels\nx,y\n', /name/],
        ['name,colour\nx,red\n', /colour/],
        ['name,name\nx,y\n', /name/],
        [`name,${Array.from({ length: 1_000_000 }, () => 'x').join(',')}\n`, /line 1.*longer/i],
        [`name,${Array.from({ length: 1_000 }, () => 'x').join(',')}\n`, /1001 fields/],
        [`name\n"${'x'.repeat(2_000_000)}`, /line 2/i],
        [`name\n${'x'.repeat(2_000_000)}\n`, /line 2/i],
        [new Uint8Array([...Buffer.from('name\nok\n'), 0xff, 0xfe, 0x0a]), /UTF-8/i],
      ];
      for (const [file, word] of refused) {
        const answer = await upload(visitor, file);
        expect(answer).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
        expect(answer.text).toMatch(word);
      }
      expect(await upload(visitor, '<devices/>', 'text/xml')).toMatchObject({ status: 415 });
      expect((await visitor.get(`/api/customers/${customer}`)).body).toMatchObject({ deviceCount: 0 });
    });
  });
}
