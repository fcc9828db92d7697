import { z } from 'zod';
import { MqttChannel } from '../load/mqtt-channel.ts';

const KEEP_ALIVE_S = 600;
/** Connections that are made at a time. */
const AT_ONCE = 100;

const Links = z.object({ url: z.string(), tokens: z.array(z.string()) });

/** Opens a link for each token and keeps them until it is told to end; says how many there are so far. */
async function open({ url, tokens }: z.output<typeof Links>): Promise<void> {
  for (let from = 0; from < tokens.length; from += AT_ONCE) {
    const links = tokens
      .slice(from, from + AT_ONCE)
      .map((userName) => new MqttChannel({ url, userName, topic: '', keepAliveSeconds: KEEP_ALIVE_S }));
    await Promise.all(links.map((link) => link.connect()));
  }
  process.send?.(tokens.length);
}

process.on('message', (message) => {
  open(Links.parse(message)).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
