import type { BenchOptions } from '../options.ts';
import { startEmbeddedPlatform } from '../platform/embedded.ts';
import { startServersPlatform } from '../platform/servers.ts';
import type { Figure } from '../report/figure.ts';
import { commandRate } from './command-rate.ts';
import { idleLinks } from './idle-links.ts';
import { publishRates } from './publish-rates.ts';
import { reconnectStorm } from './storm.ts';

export interface MqttOptions extends BenchOptions {
  now: number;
  progress: (what: string) => void;
}

export async function measureEmbeddedMqtt({ seconds, rounds, now, progress }: MqttOptions): Promise<Figure[]> {
  const platform = await startEmbeddedPlatform();
  try {
    progress('embedded: MQTT, links on which nothing happens');
    const idle = await idleLinks(platform);
    progress('embedded: MQTT, publishes');
    const rates = await publishRates({ platform, seconds, rounds, now });
    progress('embedded: commands');
    return [...rates, ...idle, ...(await commandRate(platform, seconds))];
  } finally {
    await platform.stop();
  }
}

export async function measureServersMqtt({ seconds, rounds, now, progress }: MqttOptions): Promise<Figure[]> {
  const platform = await startServersPlatform();
  try {
    progress('servers: MQTT, publishes');
    const rates = await publishRates({ platform, seconds, rounds, now });
    progress('servers: commands');
    const commands = await commandRate(platform, seconds);
    progress('servers: a reconnect storm');
    return [...rates, ...commands, ...(await reconnectStorm(platform, now))];
  } finally {
    await platform.stop();
  }
}
