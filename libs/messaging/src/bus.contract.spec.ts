import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { describeWith, freshNats, startNats, waitUntil } from '#testing';
import type { Bus } from './bus.ts';
import { InProcessBus } from './in-process.bus.adapter.ts';
import { NatsBus } from './nats.bus.adapter.ts';

const log = pino({ level: 'silent' });
let subjects = 0;
const newSubject = (): string => `test.subject${String(++subjects)}`;

/** Two ends of one bus; in one process they are the same. */
interface Ends {
  here: Bus;
  there: Bus;
}

function busSuite(ends: () => Ends): void {
  test('brings a message to every subscriber, the publisher itself too, in the order of publishing', async () => {
    const subject = newSubject();
    const heard: Record<string, string[]> = { here: [], there: [], wild: [] };
    ends().here.subscribe(subject, (payload) => heard['here']?.push(payload));
    ends().there.subscribe(subject, (payload) => heard['there']?.push(payload));
    ends().there.subscribe('test.>', (payload, on) => on === subject && heard['wild']?.push(payload));
    await settled(ends());
    const sent = Array.from({ length: 100 }, (_, index) => `message ${String(index)} ✓`);
    for (const payload of sent) ends().here.publish(subject, payload);
    await waitUntil(() => Object.values(heard).every(({ length }) => length === sent.length), { what: 'all is heard' });
    expect(heard).toEqual({ here: sent, there: sent, wild: sent });
  });

  test('brings nothing to whoever unsubscribed', async () => {
    const subject = newSubject();
    const heard: string[] = [];
    const stop = ends().there.subscribe(subject, () => heard.push('stopped'));
    ends().there.subscribe(subject, () => heard.push('listening'));
    await settled(ends());
    stop();
    await settled(ends());
    ends().here.publish(subject, 'once');
    await waitUntil(() => heard.length > 0, { what: 'somebody heard it' });
    expect(heard).toEqual(['listening']);
  });

  test('goes on after a listener threw', async () => {
    const subject = newSubject();
    const heard: string[] = [];
    ends().there.subscribe(subject, () => {
      throw new Error('a listener that fails');
    });
    ends().there.subscribe(subject, (payload) => heard.push(payload));
    await settled(ends());
    ends().here.publish(subject, 'first');
    ends().here.publish(subject, 'second');
    await waitUntil(() => heard.length === 2, { what: 'both are heard' });
  });

  test('takes a message that nobody hears', () => {
    expect(() => {
      ends().here.publish(newSubject(), 'lost');
    }).not.toThrow();
  });
}

/** Until what was subscribed before is known to the other end: a message each way has arrived. */
async function settled({ here, there }: Ends): Promise<void> {
  for (const [from, to] of [
    [here, there],
    [there, here],
  ] as const) {
    const subject = newSubject();
    let arrived = false;
    const stop = to.subscribe(subject, () => (arrived = true));
    await waitUntil(
      () => {
        from.publish(subject, 'there?');
        return arrived;
      },
      { what: 'a message arrives' },
    );
    stop();
  }
}

describe('the bus within a process', () => {
  const bus = new InProcessBus(log);
  busSuite(() => ({ here: bus, there: bus }));
});

describeWith(['nats'], 'the bus over NATS', () => {
  let ends: Ends;
  beforeAll(async () => {
    const { url } = await freshNats();
    ends = { here: new NatsBus(url, 'here', log), there: new NatsBus(url, 'there', log) };
    await Promise.all([ends.here.start(), ends.there.start()]);
  });
  afterAll(() => Promise.all([ends.here.stop(), ends.there.stop()]));
  busSuite(() => ends);
});

describeWith(['own-nats'], 'the bus over a NATS that goes away', () => {
  test('says so, comes back by itself with its subscriptions, and calls back', async () => {
    const nats = await startNats();
    const bus = new NatsBus(nats.url, 'alone', log);
    await bus.start();
    const heard: string[] = [];
    let back = 0;
    bus.subscribe('test.back', (payload) => heard.push(payload));
    bus.onReconnect(() => (back += 1));
    await nats.kill();
    await waitUntil(() => !bus.connected, { what: 'the bus knows' });
    bus.publish('test.back', 'lost');
    await nats.restart();
    await waitUntil(() => bus.connected && back === 1, { what: 'the bus is back' });
    bus.publish('test.back', 'heard');
    await waitUntil(() => heard.length > 0, { what: 'a message is heard' });
    expect(heard).toEqual(['heard']);
    await bus.stop();
    await nats.stop();
  });

  test('waits for one that is not there yet', async () => {
    const nats = await startNats();
    await nats.kill();
    const bus = new NatsBus(nats.url, 'early', log);
    const started = bus.start();
    await nats.restart();
    await started;
    expect(bus.connected).toBe(true);
    await bus.stop();
    await nats.stop();
  });
});
