import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataFolder, DataFolderError } from './data-folder.ts';

let base: string;
const opened: DataFolder[] = [];
const open = (name: string): DataFolder => {
  const folder = new DataFolder(join(base, name));
  opened.push(folder);
  return folder;
};

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'fieldline-folder-'));
});

afterEach(() => {
  for (const folder of opened.splice(0)) folder.release();
  rmSync(base, { recursive: true, force: true });
});

describe('the data folder', () => {
  it('is made where it is missing, with everything above it', () => {
    expect(existsSync(open('a/b/c').path)).toBe(true);
  });

  it('keeps one secret, which only its owner can read', () => {
    const folder = open('data');
    const secret = folder.secretKey();
    expect(secret.length).toBeGreaterThanOrEqual(32);
    expect(folder.secretKey()).toBe(secret);
    expect(statSync(folder.file('secret.key')).mode & 0o777).toBe(0o600);
  });

  it('that cannot be written to is refused with its path and the way out', () => {
    writeFileSync(join(base, 'file'), '');
    expect(() => open('file/data')).toThrow(DataFolderError);
    expect(() => open('file/data')).toThrow(/cannot write to the data folder .*file\/data .*--data/);
    expect(() => new DataFolder('/proc/nowhere/data')).toThrow(DataFolderError);
  });

  it('that another process uses is refused, and free again when that one is gone', () => {
    const script = `const L = require('libsql'); const l = new L(process.argv[1]);
      l.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS lock (id INTEGER); COMMIT;');
      try { require('node:child_process').execFileSync(process.execPath, ['-e', process.argv[2], process.argv[1]], { stdio: 'pipe' }); console.log('taken twice'); }
      catch { console.log('refused'); }`;
    const second = `const L = require('libsql'); new L(process.argv[1], { timeout: 0 }).exec('BEGIN EXCLUSIVE; COMMIT;')`;
    const folder = open('data');
    folder.release();
    opened.length = 0;
    const run = spawnSync(process.execPath, ['-e', script, folder.file('lock.db'), second], { encoding: 'utf8' });
    expect(run.stdout.trim()).toBe('refused');
    expect(() => open('data')).not.toThrow();
    expect(() => open('data')).toThrow(/in use by another Fieldline/);
  });
});
