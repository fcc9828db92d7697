import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const SERVERS = fileURLToPath(new URL('../../../scripts/servers', import.meta.url));

const INSTALL = 'sudo scripts/servers install';

/** What tests need: the variable that names one from elsewhere, and how to get it. */
const NEEDED = [
  { server: 'mysql', variable: 'MYSQL_URL', get: INSTALL },
  { server: 'mongodb', variable: 'MONGODB_URL', get: INSTALL },
  { server: 'nats', variable: 'NATS_URL', get: INSTALL },
  { server: 'nginx', get: INSTALL },
  { server: 'thingsboard-clients', get: 'sudo apt-get install python3-venv, then sudo scripts/servers install' },
  { server: 'chromium', variable: 'CHROMIUM_PATH', get: 'sudo apt-get install chromium' },
];

/** Started once for all tests; NATS and nginx are started by the suites, each with an own one. */
const SHARED = ['mysql', 'mongodb'];

/** Starts the servers that the tests of a run share, before the first test of a project that names this as its globalSetup. */
export default function globalSetup() {
  sweepDeadRuns();
  const unset = NEEDED.filter(({ variable }) => !variable || !process.env[variable]);
  const missing = unset.filter(({ server }) => spawnSync(SERVERS, ['has', server]).status !== 0);
  for (const { server, variable, get } of missing) {
    const consequence = process.env.CI === 'true' ? 'its tests fail' : 'its tests are skipped';
    process.stderr.write(`${server} is not there, ${consequence}: ${get}${variable ? `, or set ${variable}` : ''}\n`);
  }
  const toStart = unset.filter((need) => SHARED.includes(need.server) && !missing.includes(need));
  if (toStart.length === 0) return;
  const data = mkdtempSync(join(tmpdir(), `fieldline-${process.pid}-`));
  globalThis.fieldlineSharedServers = data;
  for (const line of start(
    data,
    toStart.map(({ server }) => server),
  )
    .trim()
    .split('\n')) {
    const [variable, url] = line.split(/=(.*)/);
    process.env[variable] = url;
  }
}

function start(data, servers, attempts = 10) {
  const basePort = randomInt(3_000, 8_000) * 4;
  const { status, stdout, stderr } = spawnSync(SERVERS, ['start', data, String(basePort), ...servers], {
    env: { ...process.env, WATCH_PID: String(process.pid) },
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (status === 0) return stdout;
  if (stderr.includes('is taken') && attempts > 1) return start(data, servers, attempts - 1);
  throw new Error(`the servers for tests did not start: ${stderr || `${SERVERS} took too long`}`);
}

/** Removes the temporary folders of runs that were killed; their name holds the pid that made them. */
function sweepDeadRuns() {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^fieldline-(\d+)-/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}
