import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { CodedError, jobSubject, JobView, type DevicePrincipal } from '#contracts';
import { waitUntil } from '#testing';
import { away, FakeRegistry } from './registry-of-tests.ts';
import { person, StartedProvisioning } from './started-provisioning.ts';

/** What imports promise, whatever database they are kept in. */
export function jobsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let url: string;
  let registry: FakeRegistry;
  let started: StartedProvisioning[];
  let provisioning: StartedProvisioning;

  const start = async (): Promise<StartedProvisioning> => {
    const one = await StartedProvisioning.start(url, registry);
    started.push(one);
    return one;
  };
  beforeEach(async () => {
    url = await database();
    registry = new FakeRegistry();
    started = [];
    provisioning = await start();
  });
  afterEach(async () => {
    registry.before = () => undefined;
    for (const one of started) await one.stop();
  });

  const csvOf = (count: number, name = (index: number) => `d${String(index)}`): string =>
    ['name', ...Array.from({ length: count }, (_, index) => name(index))].join('\n');
  const counts = ({ total, processed, created, unchanged, failed }: JobView) => [
    total,
    processed,
    created,
    unchanged,
    failed,
  ];
  const problem = ({ status, body }: { status: number; body: Record<string, unknown> }) => [status, body['code']];

  test('a file becomes a job that makes its devices in the order of its lines', async () => {
    const reply = await provisioning.upload(admin, csvOf(2_201));
    expect(reply.status).toBe(202);
    const id = String(reply.body['id']);
    expect(reply.headers.location).toBe(`/api/provisioning/jobs/${id}`);
    expect(reply.body).toEqual({ id });
    const job = await provisioning.ended(admin, id);
    expect(job).toMatchObject({ state: 'done', message: null });
    expect(counts(job)).toEqual([2_201, 2_201, 2_201, 0, 0]);
    expect(registry.batches.flatMap(({ lines }) => lines)).toEqual(Array.from({ length: 2_201 }, (_, i) => i + 2));
    expect(registry.batches.map(({ lines }) => lines.length)).toEqual([1_000, 1_000, 201]);
    expect(await provisioning.rows('job_chunks')).toBe(0);
  });

  test('the same file again changes nothing', async () => {
    await provisioning.ended(admin, await provisioning.started(admin, csvOf(700)));
    const again = await provisioning.ended(admin, await provisioning.started(admin, csvOf(700)));
    expect(counts(again)).toEqual([700, 700, 0, 700, 0]);
  });

  test('a file of JSON lines is taken by either of its media types', async () => {
    const lines = '{"name":"a","attributes":{"x":[1,{"y":"ü"}]}}\n{"name":"b"}\n';
    for (const type of ['application/x-ndjson', 'application/jsonl; charset=utf-8']) {
      const job = await provisioning.ended(admin, await provisioning.started(admin, lines, type));
      expect(job).toMatchObject({ state: 'done', total: 2, failed: 0 });
    }
  });

  test('errors are told by line, as CSV and as JSON lines', async () => {
    const id = await provisioning.started(admin, 'name,serial\na,1\n"bad ""one""",2\n,3\nb,4,5\nc,6\nbad, two');
    expect(counts(await provisioning.ended(admin, id))).toEqual([6, 6, 2, 0, 4]);
    const csv = await provisioning.call(admin, `GET /api/provisioning/jobs/${id}/errors`);
    expect(csv.headers['content-type']).toContain('text/csv');
    expect(csv.text.split('\r\n')).toEqual([
      'line,field,code,message',
      '3,serial,DEVICE_EXISTS,"It is ""bad ""one"""", not that."',
      '4,name,INVALID_INPUT,is needed.',
      '5,,INVALID_INPUT,"It has 3 fields, the header has 2."',
      '7,serial,DEVICE_EXISTS,"It is ""bad"", not that."',
      '',
    ]);
    const { text } = await provisioning.call(admin, `GET /api/provisioning/jobs/${id}/errors?format=ndjson`);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toHaveLength(4);
    expect(lines[2]).toEqual({
      line: 5,
      field: null,
      code: 'INVALID_INPUT',
      message: 'It has 3 fields, the header has 2.',
    });
    expect(problem(await provisioning.call(admin, `GET /api/provisioning/jobs/${id}/errors?format=xml`))).toEqual([
      422,
      'INVALID_INPUT',
    ]);
  });

  test('more errors than a page are told in their order', async () => {
    const id = await provisioning.started(
      admin,
      csvOf(2_300, (index) => `bad ${String(index)}`),
    );
    expect(counts(await provisioning.ended(admin, id))).toEqual([2_300, 2_300, 0, 0, 2_300]);
    const { text } = await provisioning.call(admin, `GET /api/provisioning/jobs/${id}/errors`);
    const lines = text
      .trimEnd()
      .split('\r\n')
      .slice(1)
      .map((line) => Number(line.split(',', 1)[0]));
    expect(lines).toEqual(Array.from({ length: 2_300 }, (_, index) => index + 2));
  });

  test('a batch whose answer was lost is done again and counts once', async () => {
    let lost = 0;
    registry.after = () => {
      lost += 1;
      if (lost === 2) away();
    };
    const job = await provisioning.ended(admin, await provisioning.started(admin, csvOf(2_500)));
    expect(counts(job)).toEqual([2_500, 2_500, 2_500, 0, 0]);
    expect(registry.batches.map(({ lines }) => lines[0])).toEqual([2, 1_002, 1_002, 2_002]);
  });

  test('while the registry is away a job waits, and goes on by itself', async () => {
    registry.before = away;
    const id = await provisioning.started(admin, csvOf(600));
    await waitUntil(async () => (await provisioning.job(admin, id)).state === 'running', { what: 'it runs' });
    registry.before = () => undefined;
    expect(counts(await provisioning.ended(admin, id))).toEqual([600, 600, 600, 0, 0]);
  });

  test('a batch that the registry does not take at all ends the job', async () => {
    registry.before = () => {
      throw new CodedError('INVALID_INPUT', 'of another kind');
    };
    const job = await provisioning.ended(admin, await provisioning.started(admin, csvOf(3)));
    expect(job).toMatchObject({ state: 'failed', processed: 0 });
    expect(job.message).toContain('log');
  });

  test('another replica takes over from one that is gone, and no row counts twice', async () => {
    let release = (): void => undefined;
    let isHeld = false;
    registry.after = async () => {
      if (isHeld) return;
      isHeld = true;
      await new Promise<void>((resolve) => (release = resolve));
    };
    const id = await provisioning.started(admin, csvOf(1_600));
    await waitUntil(() => isHeld, { what: 'the first replica is at it' });
    await provisioning.dataSource.query(
      `UPDATE import_jobs SET lease_until = '2026-01-01 00:00:00.000' WHERE id = '${id}'`,
    );
    const second = await start();
    const job = await second.ended(admin, id);
    release();
    await provisioning.stop();
    started = [second];
    expect(counts(job)).toEqual([1_600, 1_600, 1_600, 0, 0]);
    expect(counts(await second.job(admin, id))).toEqual([1_600, 1_600, 1_600, 0, 0]);
    expect(registry.devices.size).toBe(1_600);
  });

  test('a job goes on after a restart where it was', async () => {
    const first = provisioning;
    let batches = 0;
    registry.before = () => {
      batches += 1;
      if (batches > 1) away();
    };
    const id = await first.started(admin, csvOf(1_600));
    await waitUntil(async () => (await first.job(admin, id)).processed === 1_000, { what: 'a part is done' });
    await first.stop();
    registry.before = () => undefined;
    const second = await start();
    started = [second];
    expect(counts(await second.ended(admin, id))).toEqual([1_600, 1_600, 1_600, 0, 0]);
  });

  test('jobs take turns, so that a small one need not wait for a large one', async () => {
    registry.before = () => new Promise((resolve) => setTimeout(resolve, 300));
    const large = await provisioning.started(admin, csvOf(10_000));
    const small = await provisioning.started(admin, csvOf(1));
    await provisioning.ended(admin, small);
    expect((await provisioning.job(admin, large)).state).toBe('running');
    await provisioning.call(admin, `DELETE /api/provisioning/jobs/${large}`);
  });

  test('a job that is stopped ends, says by whom, and leaves no chunks', async () => {
    const stopper = person('admin');
    registry.before = away;
    const id = await provisioning.started(admin, csvOf(600));
    const reply = await provisioning.call(stopper, `DELETE /api/provisioning/jobs/${id}`);
    expect(reply).toMatchObject({ status: 200, body: { id, state: 'failed' } });
    expect(reply.body['message']).toContain(stopper.principal.userId);
    const again = await provisioning.call(admin, `DELETE /api/provisioning/jobs/${id}`);
    expect(again.body).toEqual(reply.body);
    await provisioning.tidied(async () => (await provisioning.rows('job_chunks', id)) === 0);
  });

  test('an upload that ends early is a failed job that leaves nothing else', async () => {
    const sent = request(`${provisioning.url}/api/provisioning/jobs`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${admin.token}`, 'Content-Type': 'text/csv' },
    });
    sent.on('error', () => undefined);
    sent.write(csvOf(2_000));
    await waitUntil(async () => (await provisioning.rows('job_chunks')) > 0, { what: 'a part is stored' });
    const list = await provisioning.call(admin, 'GET /api/provisioning/jobs');
    expect(list.body).toMatchObject({ items: [{ state: 'receiving', total: null }] });
    sent.destroy();
    const failed = async () => {
      const { body } = await provisioning.call(admin, 'GET /api/provisioning/jobs');
      const [job] = body['items'] as JobView[];
      return job?.state === 'failed' ? job : undefined;
    };
    const job = await waitUntil(failed, { what: 'the job has failed' });
    expect(job.message).toContain('ended early');
    await waitUntil(async () => (await provisioning.rows('job_chunks')) === 0, { what: 'its chunks are gone' });
    expect(registry.batches).toEqual([]);
  });

  test('an upload whose replica is gone is ended by another one', async () => {
    const sent = request(`${provisioning.url}/api/provisioning/jobs`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${admin.token}`, 'Content-Type': 'text/csv' },
    });
    sent.on('error', () => undefined);
    sent.write(csvOf(2_000));
    await waitUntil(async () => (await provisioning.rows('job_chunks')) > 0, { what: 'a part is stored' });
    await provisioning.dataSource.query(
      "UPDATE import_jobs SET lease_until = '2026-01-01 00:00:00.000', lease_holder = 'x'",
    );
    await provisioning.tidied(async () => (await provisioning.rows('job_chunks')) === 0);
    const { body } = await provisioning.call(admin, 'GET /api/provisioning/jobs');
    expect(body).toMatchObject({ items: [{ state: 'failed' }] });
    sent.destroy();
  });

  test.each<[string, string | Buffer, string]>([
    ['nothing', '', '/1'],
    ['a header alone', 'name\n', '/1'],
    ['a wrong header', 'name,colour\na,red', '/1/colour'],
    ['Latin-1', Buffer.from('name\nZ\xe4hler', 'latin1'), '/2'],
    ['an open quote', `${csvOf(2_000)}\n"a`, '/2002'],
    ['too long a record', `${csvOf(2_000)}\n${'x'.repeat(200_000)}`, '/2002'],
    ['a bomb', `name\n${'x'.repeat(20_000_000)}`, '/2'],
  ])('a file of %s is refused by its line and leaves nothing', async (_what, file, path) => {
    const reply = await provisioning.upload(admin, file);
    expect(problem(reply)).toEqual([422, 'INVALID_INPUT']);
    expect(reply.body['errors']).toMatchObject([{ path }]);
    expect(await provisioning.rows('import_jobs')).toBe(0);
    expect(await provisioning.rows('job_chunks')).toBe(0);
  });

  test('only files as they are, in UTF-8, are taken here', async () => {
    const post = (headers: Record<string, string>) =>
      provisioning.call(admin, 'POST /api/provisioning/jobs', { headers, body: 'name\na' });
    const others: Record<string, string>[] = [
      { 'Content-Type': 'text/csv', 'Content-Encoding': 'gzip' },
      { 'Content-Type': 'text/csv; charset=iso-8859-1' },
      { 'Content-Type': 'text/plain' },
      { 'Content-Type': 'multipart/form-data; boundary=x' },
    ];
    for (const headers of others) {
      expect([headers, problem(await post(headers))]).toEqual([headers, [415, 'UNSUPPORTED_MEDIA_TYPE']]);
    }
    const json = { headers: { 'Content-Type': 'application/json' }, body: '[{"name":"a"}]' };
    const reply = await provisioning.call(admin, 'POST /api/provisioning/jobs', json);
    expect(problem(reply)).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expect(reply.body['detail']).toContain('text/csv');
    expect(problem(await provisioning.call(admin, 'POST /api/provisioning/jobs'))).toEqual([
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ]);
  });

  test('no other route takes such files', async () => {
    for (const type of ['text/csv', 'application/x-ndjson', 'application/jsonl; charset=utf-8']) {
      const sending = { headers: { 'Content-Type': type }, body: 'name\na' };
      const reply = await provisioning.call(admin, `DELETE /api/provisioning/jobs/${randomUUID()}`, sending);
      expect(problem(reply)).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
      expect(reply.body['detail']).toContain('application/json');
    }
  });

  test('administrators and operators upload, others do not', async () => {
    const customer = randomUUID();
    expect(problem(await provisioning.upload(undefined, csvOf(1)))).toEqual([401, 'UNAUTHENTICATED']);
    expect(problem(await provisioning.upload(person('user', customer), csvOf(1)))).toEqual([403, 'FORBIDDEN']);
    expect((await provisioning.upload(person('operator', customer), csvOf(1))).status).toBe(202);
  });

  test('its starter, operators of that customer and administrators see a job; others learn nothing of it', async () => {
    const customer = randomUUID();
    const starter = person('operator', customer);
    const id = await provisioning.started(starter, csvOf(1));
    await provisioning.ended(starter, id);
    const viewers = [starter, admin, person('operator', customer)];
    const strangers = [person('operator', randomUUID()), person('operator'), person('user', customer)];
    const unknown = randomUUID();
    for (const who of viewers) {
      expect((await provisioning.call(who, 'GET /api/provisioning/jobs')).body).toMatchObject({ items: [{ id }] });
      expect((await provisioning.job(who, id)).id).toBe(id);
      expect((await provisioning.rpc.call('provisioning.jobs.get', { principal: who.principal, id })).id).toBe(id);
    }
    for (const who of strangers) {
      expect((await provisioning.call(who, 'GET /api/provisioning/jobs')).body).toEqual({
        items: [],
        nextCursor: null,
      });
      for (const route of [
        'GET /api/provisioning/jobs/ID',
        'GET /api/provisioning/jobs/ID/errors',
        'DELETE /api/provisioning/jobs/ID',
      ] as const) {
        const [there, not] = await Promise.all(
          [id, unknown].map((one) => provisioning.call(who, route.replace('ID', one) as typeof route)),
        );
        expect(there?.status).toBe(404);
        expect(there?.text.replaceAll(id, unknown)).toBe(not?.text);
      }
      await expect(
        provisioning.rpc.call('provisioning.jobs.get', { principal: who.principal, id }),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    const device: DevicePrincipal = {
      kind: 'device',
      credentialId: unknown,
      expiresAt: null,
      device: {
        id: unknown,
        name: 'd',
        kind: 'direct',
        customerId: customer,
        ownerId: null,
        masterId: null,
        profileId: null,
        state: 'active',
      },
    };
    await expect(provisioning.rpc.call('provisioning.jobs.get', { principal: device, id })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect((await provisioning.job(starter, id)).state).toBe('done');
  });

  test('jobs are listed newest first, a page at a time', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.unshift(await provisioning.started(admin, csvOf(1)));
    const first = await provisioning.call(admin, 'GET /api/provisioning/jobs?limit=3');
    const cursor = String(first.body['nextCursor']);
    const second = await provisioning.call(admin, `GET /api/provisioning/jobs?limit=3&cursor=${cursor}`);
    const listed = [...(first.body['items'] as JobView[]), ...(second.body['items'] as JobView[])];
    expect(listed.map(({ id }) => id)).toEqual(ids);
    expect(second.body['nextCursor']).toBeNull();
    for (const query of ['cursor=nonsense', 'limit=0', 'limit=1001', 'q=x']) {
      expect(problem(await provisioning.call(admin, `GET /api/provisioning/jobs?${query}`))).toEqual([
        422,
        'INVALID_INPUT',
      ]);
    }
  });

  test('progress is told to whoever listens, and the end always', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    registry.before = () => released;
    const id = await provisioning.started(admin, csvOf(3_000));
    const heard: JobView[] = [];
    const stop = provisioning.bus.subscribe(jobSubject(id), (text) => heard.push(JobView.parse(JSON.parse(text))));
    release();
    const job = await provisioning.ended(admin, id);
    await waitUntil(() => heard.at(-1)?.state === 'done', { what: 'the end is told' });
    expect(heard.at(-1)).toEqual(job);
    expect(heard[0]).toMatchObject({ state: 'running', processed: 1_000 });
    stop();
  });

  test('jobs that ended a month ago are forgotten with their errors', async () => {
    const id = await provisioning.started(admin, 'name\nbad');
    const kept = await provisioning.started(admin, 'name\nbad');
    for (const job of [id, kept]) await provisioning.ended(admin, job);
    await provisioning.dataSource.query(
      `UPDATE import_jobs SET finished_at = '2026-01-01 00:00:00.000' WHERE id = '${id}'`,
    );
    await provisioning.tidied(async () => (await provisioning.rows('import_jobs')) === 1);
    expect(await provisioning.rows('job_errors')).toBe(1);
    expect((await provisioning.job(admin, kept)).id).toBe(kept);
  });
}
