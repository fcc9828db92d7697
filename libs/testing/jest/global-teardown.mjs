import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { SERVERS } from './global-setup.mjs';

/** Ends what global-setup.mjs started. */
export default function globalTeardown() {
  const data = globalThis.fieldlineSharedServers;
  if (!data) return;
  spawnSync(SERVERS, ['stop', data], { timeout: 60_000 });
  rmSync(data, { recursive: true, force: true });
}
