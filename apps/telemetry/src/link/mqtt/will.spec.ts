import { describe, expect, it } from '@jest/globals';
import type { DevicePrincipal } from '#contracts';
import { uuid7 } from '#platform';
import { willOf } from './will.ts';

const id = uuid7();
const principal: DevicePrincipal = {
  kind: 'device',
  credentialId: uuid7(),
  expiresAt: null,
  device: {
    id,
    name: 'd',
    kind: 'direct',
    customerId: null,
    ownerId: null,
    masterId: null,
    profileId: null,
    state: 'active',
  },
};
const will = (topic: string, payload = Buffer.from('x')) => willOf({ will: { topic, payload } }, principal);

describe('a will', () => {
  it.each(['device/me/will', `/device/${id}/will`, 'v1/devices/me/telemetry', 'device/me/data'])(
    'may be on %s',
    (topic) => {
      expect(will(topic)).toMatchObject({ topic, payload: 'x', delaySeconds: 0 });
    },
  );

  it.each([`device/${uuid7()}/will`, 'device/other/data', 'v1/gateway/telemetry', `device/${id}/master`, 'anything'])(
    'may not be on %s',
    (topic) => {
      expect(() => will(topic)).toThrow(expect.objectContaining({ code: 'TOPIC_NOT_ALLOWED' }));
    },
  );

  it('is kept as text, base64 where it is none, and not all of it where it is long', () => {
    expect(will('device/me/will', Buffer.from([0xff]))?.payload).toBe('/w==');
    expect(will('device/me/will', Buffer.alloc(60_000, 'a'))?.payload).toHaveLength(4_096);
  });

  it('need not be there', () => {
    expect(willOf({}, principal)).toBeUndefined();
  });
});
