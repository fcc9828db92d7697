// Builds dist/ unless it is newer than everything it is made of, so that a second start is quick.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const STAMP = join(ROOT, 'dist', '.built-from');
const SOURCES = ['apps', 'libs', '.swcrc', 'package.json', 'package-lock.json'];

function* filesOf(path) {
  if (!statSync(path).isDirectory()) yield path;
  else for (const name of readdirSync(path).sort()) yield* filesOf(join(path, name));
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    for (const file of filesOf(join(ROOT, source))) {
      const { size, mtimeMs } = statSync(file);
      hash.update(`${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Fieldline needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}
const wanted = fingerprint();
if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) process.exit(0);
if (!existsSync(join(ROOT, 'node_modules', '@swc', 'cli'))) {
  console.error('Run `npm ci` first: what the build needs is not installed.');
  process.exit(1);
}
console.error('building ...');
const build = spawnSync('npm', ['run', '--silent', 'build'], {
  cwd: ROOT,
  stdio: ['ignore', 'ignore', 'inherit'],
  shell: process.platform === 'win32',
});
if (build.status !== 0) process.exit(build.status ?? 1);
writeFileSync(STAMP, wanted);
