import { describe, expect, it } from '@jest/globals';
import { Subscriptions } from './subscriptions.ts';

describe('subscriptions', () => {
  it('match in the order in which they were made, with the QoS that was granted last', () => {
    const subscriptions = new Subscriptions();
    subscriptions.set('v2/r/req/+', 0);
    subscriptions.set('/device/me/ping', 1);
    subscriptions.set('v2/r/req/+', 1);
    expect(subscriptions.matching('v2/r/req/7')).toEqual({ filter: 'v2/r/req/+', qos: 1 });
    expect(subscriptions.matching('device/me/ping')).toEqual({ filter: '/device/me/ping', qos: 1 });
    expect(subscriptions.matching('v2/r/req/7/8')).toBeUndefined();
    expect(subscriptions.matching('v2/r/req')).toBeUndefined();
  });

  it('end once', () => {
    const subscriptions = new Subscriptions();
    subscriptions.set('v2/a', 1);
    expect([subscriptions.delete('v2/a'), subscriptions.delete('v2/a')]).toEqual([true, false]);
    expect(subscriptions.has('v2/a')).toBe(false);
  });
});
