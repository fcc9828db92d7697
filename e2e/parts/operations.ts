import { describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { waitUntil } from '#testing';
import type { House } from '../house.ts';
import { newUser } from '../people.ts';
import { Visitor } from '../visitor.ts';

/** What somebody who runs the house sees of it. */
export function operations(house: () => House): void {
  describe('operations', () => {
    test('the API has a page, and a document that names every route', async () => {
      const anybody = new Visitor(house());
      const page = await anybody.get('/docs');
      expect(page.status).toBe(200);
      expect(page.text).toContain('<title>Fieldline API</title>');
      for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js', 'start.js']) {
        expect(await anybody.get(`/docs/${file}`)).toMatchObject({ status: 200 });
      }
      const document = await anybody.get('/docs/openapi.json');
      expect(document).toMatchObject({ status: 200, body: { openapi: expect.stringMatching(/^3/) } });
    });

    test('every answer has a request id, the client’s own where it is one', async () => {
      const { visitor } = await newUser(house());
      for (const path of ['/user/me', '/api/devices', '/nowhere', '/api/devices/x']) {
        const answer = await visitor.get(path);
        expect([path, answer.headers.get('x-request-id')]).toEqual([path, expect.stringMatching(/^[\w.-]{8,64}$/)]);
        const id = randomUUID();
        const named = await visitor.get(path, { headers: { 'x-request-id': id } });
        expect([path, named.headers.get('x-request-id')]).toEqual([path, id]);
      }
      const odd = await visitor.get('/user/me', { headers: { 'x-request-id': '<script>' } });
      expect(odd.headers.get('x-request-id')).not.toContain('script');
    });

    test('a request is one line of a service’s log, with its id and without its query', async () => {
      const { own } = house();
      if (!own) return;
      const { visitor } = await newUser(house());
      const id = `trace-${randomUUID()}`;
      await visitor.get('/api/devices?q=private-words', { headers: { 'x-request-id': id } });
      const linesOfIt = async () => (await own.logs()).split('\n').filter((line) => line.includes(id));
      const isOfService = (line: string) => !line.includes('"service":"gateway"');
      await waitUntil(async () => (await linesOfIt()).some(isOfService), { what: 'the request is logged' });
      const lines = await linesOfIt();
      const ofServices = lines.filter(isOfService);
      expect(ofServices).toHaveLength(1);
      expect(ofServices[0]).toContain('GET /api/devices 200');
      expect(lines.join('')).not.toContain('private-words');
    });

    test('every service says that it lives and is ready, with each thing that it needs', async () => {
      for (const [name, address] of Object.entries(house().own?.addresses ?? {})) {
        const live = await new Visitor(house()).get(`${address}/health/live`);
        expect(live).toMatchObject({ status: 200, body: { status: 'ok' } });
        const ready = await new Visitor(house()).get(`${address}/health/ready`);
        expect(ready).toMatchObject({ status: 200, body: { status: 'ok', checks: { messaging: { status: 'up' } } } });
        if (/telemetry|standalone/.test(name)) {
          expect(ready.body).toMatchObject({
            checks: {
              'reading log': { status: 'up', backlog: { messages: expect.any(Number), bytes: expect.any(Number) } },
              'reading store': { status: 'up' },
            },
          });
        }
      }
    });

    test('every service has its figures for Prometheus', async () => {
      for (const [name, address] of Object.entries(house().own?.addresses ?? {})) {
        const { status, text } = await new Visitor(house()).get(`${address}/metrics`);
        expect(status).toBe(200);
        expect(text).toMatch(/^process_resident_memory_bytes /m);
        if (!/telemetry|standalone/.test(name)) continue;
        for (const what of [
          'readings_received_total',
          'readings_rejected_total',
          'readings_written_total',
          'log_backlog',
          'log_append_seconds',
          'store_write_seconds',
          'connections',
        ]) {
          expect(text).toMatch(new RegExp(`^# TYPE fieldline_${what} `, 'm'));
        }
      }
    });

    test('a page of another origin may not read anything', async () => {
      const answer = await new Visitor(house()).get('/user/me', { headers: { origin: 'https://elsewhere.example' } });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      expect(answer.headers.get('x-powered-by')).toBeNull();
    });
  });
}

/** What the gateway keeps inside. */
export function gatewayKeepsInside(house: () => House): void {
  describe('the gateway', () => {
    test('shows neither metrics nor the health of services, however the path is written', async () => {
      const paths = [
        '/metrics',
        '/metrics/',
        '//metrics',
        '/./metrics',
        '/user/../metrics',
        '/%6detrics',
        '/health/ready',
        '/health/live',
        '/user/%2e%2e/metrics',
      ];
      for (const path of paths) {
        const answer = await new Visitor(house()).get(path);
        expect([path, answer.status]).toEqual([path, 404]);
        expect(answer.text).not.toContain('process_resident_memory_bytes');
      }
    });
  });
}

/** To be called last: what the rest of the suite must not have done. */
export function houseStands(house: () => House): void {
  describe('after everything that was done to it', () => {
    test('no password, token or key that was used is in any log', async () => {
      const { own, secrets } = house();
      if (!own) return;
      const logs = await own.logs();
      expect(logs.length).toBeGreaterThan(1_000);
      expect(secrets.size).toBeGreaterThan(5);
      const leaked = [...secrets].filter((secret) => secret.length >= 8 && logs.includes(secret));
      expect(leaked.map((secret) => logs.split('\n').find((line) => line.includes(secret)))).toEqual([]);
    });

    test('no service logged an error of its own', async () => {
      const logs = (await house().own?.logs()) ?? '';
      expect(logs.split('\n').filter((line) => line.includes('an error that nobody expected'))).toEqual([]);
    });
  });
}
