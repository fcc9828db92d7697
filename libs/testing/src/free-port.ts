import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below Linux's ephemeral ports (32768 and up), so that no outgoing connection takes the port while its server restarts. */
const LOWEST = 12_000;
const HIGHEST = 32_000;

const given = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** A TCP port of 127.0.0.1 that nothing listens on and that this process was not given before. */
export async function freePort(): Promise<number> {
  const port = randomInt(LOWEST, HIGHEST);
  if (given.has(port) || !(await isFree(port))) return freePort();
  given.add(port);
  return port;
}
