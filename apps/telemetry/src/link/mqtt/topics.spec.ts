import { describe, expect, it } from '@jest/globals';
import type { DeviceKind, DevicePrincipal } from '#contracts';
import { uuid7 } from '#platform';
import { findFilter, findTopic, isAllowed } from './topics.ts';

const own = uuid7();
const other = uuid7();

const principal = (kind: DeviceKind = 'direct'): DevicePrincipal => ({
  kind: 'device',
  credentialId: uuid7(),
  expiresAt: null,
  device: {
    id: own,
    name: 'd',
    kind,
    customerId: null,
    ownerId: null,
    masterId: null,
    profileId: null,
    state: 'active',
  },
});

const mayPublish = (topic: string, kind?: DeviceKind): boolean => {
  const found = findTopic(topic);
  return found !== undefined && isAllowed(found.rule.publish, found, principal(kind));
};

const maySubscribe = (filter: string, kind?: DeviceKind): boolean => {
  const found = findFilter(filter);
  return found !== undefined && isAllowed(found.rule.subscribe, found, principal(kind));
};

describe('the table of topics', () => {
  it.each([
    `device/${own}/data`,
    `/device/${own}/data`,
    'device/me/data',
    '/device/me/ping',
    'v1/devices/me/telemetry',
  ])('lets a device publish on %s', (topic) => {
    expect(mayPublish(topic)).toBe(true);
  });

  it.each([
    `device/${other}/data`,
    `//device/${own}/data`,
    `device/${own}/data/`,
    'device//data',
    'v1/devices/me/rpc/request/',
    '$SYS/broker/uptime',
    '',
    '/',
    'v1/gateway/telemetry',
    '/provision/request',
    'v1/devices/me/attributes/response/1',
    `device/me/${'x'.repeat(70_000)}`,
  ])('does not let a device publish on %.40s', (topic) => {
    expect(mayPublish(topic)).toBe(false);
  });

  it('gives what stands for each wildcard', () => {
    expect(findTopic('v2/fw/request/7/chunk/12')?.levels).toEqual(['7', '12']);
    expect(findTopic(`/device/${other}/master`)?.levels).toEqual([other]);
  });

  it('has the gateway’s topics for gateways alone', () => {
    expect(mayPublish('v1/gateway/telemetry', 'gateway')).toBe(true);
    expect(maySubscribe('v1/gateway/rpc', 'gateway')).toBe(true);
    expect(maySubscribe('v1/gateway/rpc', 'master')).toBe(false);
  });

  it.each([
    'v1/devices/me/rpc/request/+',
    'v2/r/req/+',
    'v2/fw/response/+/chunk/+',
    'v2/fw/response/+',
    '/device/me/ping',
  ])('lets a device subscribe to %s', (filter) => {
    expect(maySubscribe(filter)).toBe(true);
  });

  it.each([
    '#',
    '+',
    'v1/devices/me/#',
    'v1/devices/+/attributes',
    'v1/devices/me/rpc/request/1',
    'device/+/ping',
    '$share/a/v2/a',
  ])('does not let a device subscribe to %s', (filter) => {
    expect(maySubscribe(filter)).toBe(false);
  });
});
