import { connectAsync, type MqttClient } from 'mqtt';
import { z } from 'zod';
import { percentiles } from '../load/latency.ts';
import type { Platform } from '../platform/platform.ts';
import type { Figure } from '../report/figure.ts';

const DEVICES = 50;
/** Commands that are under way at a time. */
const AT_ONCE = 32;
const REQUESTS = 'v1/devices/me/rpc/request/+';
const WARM_UP_MS = 2_000;

const Answer = z.object({ status: z.literal('succeeded'), result: z.object({ pong: z.number() }) });

/** How often a second a device is asked something and its answer is with whoever asked: links on one replica, questions to the other. */
export async function commandRate(platform: Platform, seconds: number): Promise<Figure[]> {
  const replicas = platform.house.replicas;
  const [linked = '', asked = ''] = [replicas[0], replicas.at(-1)];
  const ids = await platform.deviceIds(DEVICES);
  const tokens = await platform.tokens(DEVICES);
  const devices = await Promise.all(tokens.map((token) => answeringDevice(linked, token)));
  try {
    const authorization = `Bearer ${await platform.administratorToken()}`;
    const ask = async (index: number): Promise<void> => {
      const response = await fetch(`${asked}/api/devices/${ids[index % DEVICES] ?? ''}/commands`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ method: 'ping', params: { pong: index } }),
      });
      Answer.parse(await response.json());
    };
    await asking(ask, WARM_UP_MS);
    const times = await asking(ask, seconds * 1_000);
    const { p50, p99 } = percentiles(times);
    const where = replicas.length > 1 ? ' across two replicas' : '';
    const figure = (what: string, value: number, unit: string): Figure => ({ mode: platform.name, what, value, unit });
    return [
      figure(`command round trips${where}, ${String(AT_ONCE)} at a time`, times.length / seconds, '/s'),
      figure(`command round trip${where}, p50`, p50, 'ms'),
      figure(`command round trip${where}, p99`, p99, 'ms'),
    ];
  } finally {
    await Promise.all(devices.map((device) => device.endAsync()));
  }
}

/** How long each took, in ms. */
async function asking(ask: (index: number) => Promise<void>, forMs: number): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + forMs;
  let next = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const start = performance.now();
      await ask((next += 1));
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return times;
}

async function answeringDevice(replica: string, token: string): Promise<MqttClient> {
  const device = await connectAsync(`${replica.replace(/^http/, 'ws')}/mqtt`, { protocolVersion: 5, username: token });
  device.on('message', (topic, payload) => {
    const { params } = z.object({ params: z.unknown() }).parse(JSON.parse(payload.toString()));
    device.publish(topic.replace('/request/', '/response/'), JSON.stringify(params), { qos: 1 });
  });
  await device.subscribeAsync(REQUESTS, { qos: 1 });
  return device;
}
