import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { UsageError, helpPage, readConfig } from './config.ts';

describe('the command line of the simulated devices', () => {
  it('has defaults for everything but the sender', () => {
    expect(readConfig(['--token', 'abc'], {})).toEqual({
      url: 'http://localhost:8080',
      sender: { kind: 'tokens', tokens: ['abc'] },
      devices: 1,
      sensors: ['temperature', 'humidity'],
      rate: 1,
      batch: 500,
      seed: 1,
    });
  });

  it('reads flags before variables before defaults', () => {
    const env = { FIELDLINE_URL: 'http://a:1', DEVICE_RATE: '5', DEVICE_PROVISION: 'debug', DEVICE_OUTBOX: '' };
    expect(readConfig(['--rate', '7', '--devices', '100', '--sensors', 'x, y'], env)).toMatchObject({
      url: 'http://a:1',
      rate: 7,
      devices: 100,
      sensors: ['x', 'y'],
      sender: { kind: 'debug', macPrefix: '02:F1:E1' },
      outbox: undefined,
    });
  });

  it('reads a secret from the file that a variable names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secret-'));
    writeFileSync(join(folder, 'token'), 'from-file\n');
    expect(readConfig([], { DEVICE_TOKEN_FILE: join(folder, 'token') })?.sender).toEqual({
      kind: 'tokens',
      tokens: ['from-file'],
    });
    rmSync(folder, { recursive: true });
    expect(() => readConfig([], { DEVICE_TOKEN_FILE: join(folder, 'token') })).toThrow(
      /^DEVICE_TOKEN_FILE cannot be read: .*ENOENT/,
    );
  });

  it('has as many devices as tokens', () => {
    expect(readConfig(['--token', 'a,b,c'], {})?.devices).toBe(3);
  });

  it('takes a person', () => {
    const config = readConfig(['--email', 'a@example.com', '--password', 'p'], {});
    expect(config?.sender).toEqual({ kind: 'person', email: 'a@example.com', password: 'p' });
  });

  it.each([
    [[], /Who sends\?/],
    [['--token', 'a', '--provision', 'debug'], /one of --token/],
    [['--email', 'a@example.com'], /needs --password/],
    [['--token', 'a', '--rate', 'fast'], /^--rate \(DEVICE_RATE\) must be a number\.$/],
    [['--token', 'a', '--rate', '0'], /^--rate \(DEVICE_RATE\) must be more than 0\.$/],
    [['--token', 'a', '--rate', '2001'], /at most 1000 for each sensor/],
    [['--token', 'a', '--devices', '1.5'], /--devices \(DEVICE_COUNT\) must be a whole number/],
    [['--token', 'a', '--url', 'localhost:8080'], /--url \(FIELDLINE_URL\) must be an address/],
    [['--token', 'a', '--sensors', 'a b'], /--sensors \(DEVICE_SENSORS\) must be names/],
    [['--token', 'a,,b'], /--token \(DEVICE_TOKEN\) must not have an empty token/],
    [['--token', 'a,b', '--devices', '3'], /2 tokens for 3 devices/],
    [['--token', 'a', '--batch', '1001'], /at most 1000/],
    [['--provision', 'magic'], /can only be debug/],
    [['--nonsense'], /Unknown option '--nonsense'\. See/],
    [['--rate'], /'--rate <value>' argument missing/],
    [['stray'], /Unexpected argument 'stray'/],
  ])('refuses %j in one line', (args, message) => {
    const attempt = () => readConfig(args, {});
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/\n/);
  });

  it('prints every flag when asked for help', () => {
    expect(readConfig(['--help'], {})).toBeUndefined();
    expect(helpPage()).toContain('--mac-prefix');
  });
});
