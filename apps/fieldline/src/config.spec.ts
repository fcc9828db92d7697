import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { helpPage, readConfig, UsageError } from './config.ts';

const JOB = '0198c5a0-0000-7000-8000-000000000001';
const TOKEN = ['--token', 't'];

describe('the command line client', () => {
  it('imports a file, by the format that its name says, and watches', () => {
    expect(readConfig(['devices', 'import', 'a.csv', ...TOKEN], {})).toEqual({
      url: 'http://localhost:8080',
      login: { kind: 'token', token: 't' },
      command: { do: 'import', file: 'a.csv', format: 'csv', watch: true, errorsFile: undefined },
    });
    const formatOf = (...args: string[]) => readConfig(['devices', 'import', ...args, ...TOKEN], {})?.command;
    expect(formatOf('b.NDJSON')).toMatchObject({ format: 'ndjson' });
    expect(formatOf('b.jsonl', '--no-watch')).toMatchObject({ format: 'ndjson', watch: false });
    expect(formatOf('-')).toMatchObject({ file: '-', format: 'csv' });
    expect(formatOf('-', '--format', 'ndjson', '--errors', 'e.csv')).toMatchObject({
      format: 'ndjson',
      errorsFile: 'e.csv',
    });
  });

  it('looks at an import that was sent before, and lists devices', () => {
    expect(readConfig(['devices', 'import', '--job', JOB, ...TOKEN], {})?.command).toEqual({
      do: 'watch',
      jobId: JOB,
      errorsFile: undefined,
    });
    expect(readConfig(['devices', 'list', '--q', 'pump', ...TOKEN], {})?.command).toEqual({ do: 'list', text: 'pump' });
  });

  it('reads flags before variables, and secrets from files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secret-'));
    writeFileSync(join(folder, 'password'), 'from-file\n');
    const env = {
      FIELDLINE_URL: 'https://a.example/',
      FIELDLINE_EMAIL: 'b@example.com',
      FIELDLINE_PASSWORD_FILE: join(folder, 'password'),
    };
    expect(readConfig(['devices', 'list', '--email', 'a@example.com'], env)).toMatchObject({
      url: 'https://a.example',
      login: { kind: 'person', email: 'a@example.com', password: 'from-file' },
    });
    rmSync(folder, { recursive: true });
    expect(() => readConfig(['devices', 'list'], env)).toThrow(/^FIELDLINE_PASSWORD_FILE cannot be read: .*ENOENT/);
  });

  it.each([
    [['devices'], /no command "devices/],
    [['devices', 'export', ...TOKEN], /no command "devices export"/],
    [['devices', 'list', 'x', ...TOKEN], /no command/],
    [['devices', 'import', ...TOKEN], /Give one file/],
    [['devices', 'import', 'a', 'b', ...TOKEN], /Give one file/],
    [['devices', 'import', 'a.csv', '--job', JOB, ...TOKEN], /not both/],
    [['devices', 'import', '--job', '7', ...TOKEN], /--job must be the id/],
    [['devices', 'import', 'a.csv', '--format', 'xml', ...TOKEN], /--format must be csv or ndjson/],
    [['devices', 'import', 'a.csv', '--no-watch', '--errors', 'e', ...TOKEN], /leave out --no-watch/],
    [['devices', 'list'], /Who calls\?/],
    [['devices', 'list', '--email', 'a@example.com'], /Who calls\?/],
    [['devices', 'list', '--email', 'nobody', '--password', 'p'], /--email \(FIELDLINE_EMAIL\) must be an email/],
    [['devices', 'list', '--url', 'localhost:8080', ...TOKEN], /--url \(FIELDLINE_URL\) must be an address/],
    [['devices', 'list', '--nonsense'], /Unknown option '--nonsense'\. See/],
    [['devices', 'list', '--token'], /argument missing/],
  ])('refuses %j in one line', (args, message) => {
    const attempt = () => readConfig(args, {});
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/\n/);
  });

  it('prints every flag when asked for help, or for nothing', () => {
    expect(readConfig(['--help'], {})).toBeUndefined();
    expect(readConfig([], {})).toBeUndefined();
    for (const flag of ['--url', '--job', '--errors', '--no-watch', '--q']) expect(helpPage()).toContain(flag);
  });
});
