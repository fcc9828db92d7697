import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { helpPage, readConfig } from './config.ts';
import { UsageError } from './usage-error.ts';

const UUID = '4f3c8b1a-6c2d-4e5f-8a9b-0c1d2e3f4a5b';
const ZERO_TOUCH = ['--provision', 'zero-touch', '--provisioning-key', 'k', '--device-profile', 'Gateway'];

describe('the command line of the simulated devices', () => {
  it('has defaults for everything but the sender', () => {
    expect(readConfig(['--token', 'abc'], {})).toEqual({
      url: 'http://localhost:8080',
      transport: 'socket',
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
      sender: { kind: 'own', way: { way: 'debug', macPrefix: '02:F1:E1' } },
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

  it('speaks MQTT when it is told to, or told where', () => {
    const transportOf = (args: string[], env = {}) => {
      const { transport, mqttUrl } = readConfig(['--token', 'a', ...args], env) ?? {};
      return [transport, mqttUrl];
    };
    expect(transportOf(['--transport', 'mqtt'])).toEqual(['mqtt', undefined]);
    expect(transportOf(['--mqtt', 'wss://a/mqtt'])).toEqual(['mqtt', 'wss://a/mqtt']);
    expect(transportOf([], { DEVICE_TRANSPORT: 'mqtt', FIELDLINE_MQTT_URL: 'mqtt://a:1' })).toEqual([
      'mqtt',
      'mqtt://a:1',
    ]);
    expect(transportOf(['--transport', 'socket'], { FIELDLINE_MQTT_URL: 'mqtt://a:1' })).toEqual([
      'socket',
      'mqtt://a:1',
    ]);
  });

  it('takes a person', () => {
    const config = readConfig(['--email', 'a@example.com', '--password', 'p'], {});
    expect(config?.sender).toEqual({ kind: 'person', email: 'a@example.com', password: 'p' });
  });

  it.each<[string, string[], object]>([
    ['two-step', ['--customer', 'abc'], { customer: 'abc', macPrefix: '02:F1:E1' }],
    ['uuid', ['--secret-key', 'k', '--uuid', UUID, '--master', UUID], { secretKey: 'k', uuid: UUID, master: UUID }],
    [
      'zero-touch',
      ['--email', 'a@example.com', '--password', 'p', '--device-profile', 'G', '--name', 'gw', '--serial', 's'],
      { caller: { email: 'a@example.com', password: 'p' }, device: { name: 'gw', serial: 's', deviceProfile: 'G' } },
    ],
    [
      'pair',
      ['--pair-key', 'pair-1', '--owner-key', 'owner-12', '--token', 'a'],
      { access: { tokens: ['a'] }, keys: { pairKey: 'pair-1', ownerKey: 'owner-12' }, minutes: 60 },
    ],
    ['pair', ['--pair-key', 'pair-1', '--owner-key', 'owner-12'], { access: { macPrefix: '02:F1:E1' } }],
  ])('takes devices that get in by %s', (way, args, expected) => {
    const sender = readConfig(['--provision', way, ...args], {})?.sender;
    expect(sender).toMatchObject({ kind: 'own', way: { way, ...expected } });
  });

  it('takes the place of a device', () => {
    const place = ['--country', 'Iran', '--region', 'Tehran', '--latitude', '35.7', '--longitude', '51.4'];
    expect(readConfig([...ZERO_TOUCH, ...place], {})?.sender).toMatchObject({
      way: { device: { location: { country: 'Iran', state: 'Tehran', latitude: 35.7, longitude: 51.4 } } },
    });
  });

  it('keeps what devices learn beside their outboxes, unless it is told where', () => {
    const stateOf = (...args: string[]) => readConfig(['--provision', 'debug', ...args], {})?.state;
    expect([stateOf(), stateOf('--outbox', 'o'), stateOf('--outbox', 'o', '--state', 's')]).toEqual([
      undefined,
      join('o', '.state'),
      's',
    ]);
  });

  it.each([
    [[], /Who sends\?/],
    [['--token', 'a', '--provision', 'debug'], /one of --token/],
    [['--email', 'a@example.com'], /needs --password/],
    [['--email', 'a@example.com', '--password', 'p', '--transport', 'mqtt'], /MQTT is for devices/],
    [['--token', 'a', '--transport', 'pigeon'], /^--transport \(DEVICE_TRANSPORT\) must be socket or mqtt\.$/],
    [['--token', 'a', '--mqtt', 'http://a'], /^--mqtt \(FIELDLINE_MQTT_URL\) must be an address/],
    [['--token', 'a', '--rate', 'fast'], /^--rate \(DEVICE_RATE\) must be a number\.$/],
    [['--token', 'a', '--rate', '0'], /^--rate \(DEVICE_RATE\) must be more than 0\.$/],
    [['--token', 'a', '--rate', '2001'], /at most 1000 for each sensor/],
    [['--token', 'a', '--devices', '1.5'], /--devices \(DEVICE_COUNT\) must be a whole number/],
    [['--token', 'a', '--url', 'localhost:8080'], /--url \(FIELDLINE_URL\) must be an address/],
    [['--token', 'a', '--sensors', 'a b'], /--sensors \(DEVICE_SENSORS\) must be names/],
    [['--token', 'a,,b'], /--token \(DEVICE_TOKEN\) must not have an empty token/],
    [['--token', 'a,b', '--devices', '3'], /2 tokens for 3 devices/],
    [['--token', 'a', '--batch', '1001'], /at most 1000/],
    [['--provision', 'magic'], /must be debug, two-step, uuid, zero-touch or pair\.$/],
    [['--provision', 'debug', '--email', 'a@example.com'], /one of --token/],
    [['--provision', 'two-step'], /^--provision two-step needs --customer \(DEVICE_CUSTOMER\)\.$/],
    [['--provision', 'uuid'], /needs --secret-key/],
    [['--provision', 'uuid', '--secret-key', 'k', '--uuid', 'x'], /--uuid \(DEVICE_UUID\) must be a uuid/],
    [['--provision', 'uuid', '--secret-key', 'k', '--uuid', UUID, '--devices', '2'], /for a single device/],
    [['--provision', 'zero-touch'], /needs --provisioning-key, or --email and --password/],
    [['--provision', 'zero-touch', '--email', 'a@example.com'], /--email needs --password/],
    [['--provision', 'zero-touch', '--provisioning-key', 'k'], /needs --device-profile/],
    [[...ZERO_TOUCH, '--latitude', '91', '--longitude', '0'], /--latitude \(DEVICE_LATITUDE\)/],
    [[...ZERO_TOUCH, '--latitude', '9'], /--latitude and --longitude go together/],
    [[...ZERO_TOUCH, '--country', 'Iran'], /needs --country and --region/],
    [[...ZERO_TOUCH, '--email', 'a@example.com', '--password', 'p'], /not both/],
    [['--provision', 'pair', '--owner-key', 'owner-12'], /needs --pair-key/],
    [['--provision', 'pair', '--pair-key', 'pair-1'], /needs --owner-key/],
    [
      ['--provision', 'pair', '--pair-key', 'pair-1', '--owner-key', 'owner-12', '--token', 'a,b', '--devices', '3'],
      /2 tokens for 3/,
    ],
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
