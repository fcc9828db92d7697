// `npm test`: lint, build, then every test; ends with the line `N passed, N failed`. A check that fails counts as one failure.
// What follows `npm test --` goes to jest, for example `npm test -- --selectProjects e2e`.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closingLine } from './summary-reporter.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** How long jest may take to end after its last test; longer means that a test left something open. */
const GRACE_MS = 60_000;

function run(command, args, { env, watch } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } });
    const watching = watch?.(child);
    child.on('error', (error) => console.error(`${command}: ${error.message}`));
    child.on('close', (code) => {
      clearInterval(watching);
      resolve(code === 0);
    });
  });
}

async function check(script) {
  const passed = await run('npm', ['run', '--silent', script]);
  if (!passed) console.error(`npm run ${script} failed`);
  return passed;
}

/** Kills a jest that stays after it has reported. */
function killWhenStuck(summaryFile) {
  return (child) => {
    let reportedAt;
    return setInterval(() => {
      reportedAt ??= existsSync(summaryFile) ? Date.now() : undefined;
      if (reportedAt === undefined || Date.now() - reportedAt < GRACE_MS) return;
      console.error('jest did not end: a test left something open (npx jest --detectOpenHandles names it)');
      child.kill('SIGKILL');
    }, 1_000);
  };
}

async function jest(args) {
  const folder = mkdtempSync(join(tmpdir(), `fieldline-${process.pid}-`));
  const summaryFile = join(folder, 'summary.json');
  const nodeOptions = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`;
  const ended = await run(process.execPath, [join(ROOT, 'node_modules/jest/bin/jest.js'), ...args], {
    env: { NODE_OPTIONS: nodeOptions.trim(), SUMMARY_FILE: summaryFile },
    watch: killWhenStuck(summaryFile),
  });
  const counts = existsSync(summaryFile)
    ? JSON.parse(readFileSync(summaryFile, 'utf8'))
    : { passed: 0, failed: 0, skipped: 0 };
  rmSync(folder, { recursive: true, force: true });
  // jest also fails without a failing test: when a setup fails, or when it was killed
  return ended || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

const linted = await check('lint');
const built = await check('build');
const counts = built ? await jest(process.argv.slice(2)) : { passed: 0, failed: 0, skipped: 0 };
const failed = counts.failed + Number(!linted) + Number(!built);
console.log(closingLine({ ...counts, failed }));
process.exitCode = failed === 0 ? 0 : 1;
