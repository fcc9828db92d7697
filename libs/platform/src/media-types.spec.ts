import { expect, test } from '@jest/globals';
import { ErrorShapes } from './error-shapes.ts';
import { isJson, isStreamed } from './media-types.ts';

const request = (url: string, type?: string, method = 'POST') => ({
  url,
  method,
  headers: type === undefined ? {} : { 'content-type': type },
});

test.each([undefined, 'text/plain', 'application/x-www-form-urlencoded', 'text/csv', 'application/json'])(
  'what a device sends to the device API is JSON when it says %p',
  (type) => {
    expect(isJson(request('/api/v1/token/telemetry', type))).toBe(true);
    expect(isStreamed(request('/api/v1/token/telemetry', type))).toBe(false);
  },
);

test('elsewhere a body is what it says', () => {
  expect(isJson(request('/telemetry', 'text/plain'))).toBe(false);
  expect(isJson(request('/telemetry?/api/v1/', 'text/plain'))).toBe(false);
  expect(isJson(request('/telemetry', 'application/problem+json; charset=utf-8'))).toBe(true);
  expect(isStreamed(request('/api/provisioning/jobs', 'text/csv'))).toBe(true);
});

test('errors have a form of their own on one path, or on all that begin alike', () => {
  const shapes = new ErrorShapes();
  const shape = () => ({ status: 400, body: null });
  shapes.set('/provisioning/register', shape);
  shapes.setUnder('/api/v1/', shape);
  for (const path of ['/provisioning/register/', '/API/v1/token/telemetry']) expect(shapes.of(path)).toBe(shape);
  for (const path of ['/provisioning/registers', '/api/devices', '/']) expect(shapes.of(path)).toBeUndefined();
});
