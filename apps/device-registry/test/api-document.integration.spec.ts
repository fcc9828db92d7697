import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openApiOf } from '#platform';
import { startRegistry, type StartedRegistry } from './started-registry.ts';

let registry: StartedRegistry;
beforeAll(async () => {
  registry = await startRegistry('file::memory:');
});
afterAll(() => registry.stop());

test('every route is in the API document, with its success, its problems and schemas that exist', () => {
  const { paths, components } = openApiOf(registry.app, '0');
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]: [string, { responses: object }]) => ({
      route: `${method.toUpperCase()} ${path}`,
      statuses: Object.keys(operation.responses),
    })),
  );
  expect(routes.map(({ route }) => route).sort()).toEqual([
    'DELETE /api/asset-profiles/{id}',
    'DELETE /api/assets/{id}',
    'DELETE /api/customers/{id}',
    'DELETE /api/device-profiles/{id}',
    'DELETE /api/devices/{id}',
    'DELETE /api/devices/{id}/credentials/{credentialId}',
    'DELETE /api/devices/{id}/shares/{userId}',
    'DELETE /api/relations/{id}',
    'GET /api/asset-profiles',
    'GET /api/asset-profiles/{id}',
    'GET /api/assets',
    'GET /api/assets/tree',
    'GET /api/assets/{id}',
    'GET /api/assets/{id}/relations',
    'GET /api/audit',
    'GET /api/customers',
    'GET /api/customers/{id}',
    'GET /api/device-profiles',
    'GET /api/device-profiles/{id}',
    'GET /api/devices',
    'GET /api/devices/{id}',
    'GET /api/devices/{id}/credentials',
    'GET /api/devices/{id}/shares',
    'GET /api/relations',
    'PATCH /api/asset-profiles/{id}',
    'PATCH /api/assets/{id}',
    'PATCH /api/customers/{id}',
    'PATCH /api/device-profiles/{id}',
    'PATCH /api/devices/{id}',
    'POST /api/asset-profiles',
    'POST /api/assets',
    'POST /api/customers',
    'POST /api/device-profiles',
    'POST /api/devices',
    'POST /api/devices/{id}/credentials',
    'POST /api/devices/{id}/credentials/{credentialId}/rotate',
    'POST /api/devices/{id}/release',
    'POST /api/devices/{id}/reset',
    'POST /api/relations',
    'PUT /api/devices/{id}/shares',
  ]);
  for (const { route, statuses } of routes) {
    expect({ route, statuses }).toEqual({ route, statuses: expect.arrayContaining(['401', '422', '503']) });
    expect({ route, success: statuses.filter((status) => status.startsWith('2')).length }).toEqual({
      route,
      success: 1,
    });
  }
  const named = Object.keys(components?.schemas ?? {});
  const used = [...JSON.stringify(paths).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name);
  expect(used.length).toBeGreaterThan(10);
  expect(named).toEqual(expect.arrayContaining(used));
});
