import { chmod, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigFile } from './config-file.ts';
import { properties } from './properties.ts';
import { yaml } from './yaml.ts';

describe('a .properties file', () => {
  it('is read by sections, with keys in any case and either sign', () => {
    const text = `\uFEFF# a comment\r\n[thingsboard]\r\nurl = https://a.example:8080/x\r\nUserName: ada\r\n
password = a=b;c#d %x \n; another\n\n[profiles]\ndevice_profile_name=IoT-Gateway\ncountry_profile_name =\n`;
    expect(properties.read(text)).toEqual({
      thingsboard: { url: 'https://a.example:8080/x', username: 'ada', password: 'a=b;c#d %x' },
      profiles: { device_profile_name: 'IoT-Gateway', country_profile_name: '' },
    });
  });

  it.each([
    ['[a]\nno sign', 'line 2 is not key = value.'],
    ['a = 1', 'line 1 is before the first [section].'],
    ['[a]\nb = 1\nB = 2', 'line 3: B is there twice.'],
    ['[a]\nb = 1\n  continued', 'line 3 is not key = value.'],
  ])('that has %j says which line is wrong', (text, message) => {
    expect(() => properties.read(text)).toThrow(message);
  });

  it.each([
    ['', '[token]\njwt = T\n'],
    ['[a]\nb = 1', '[a]\nb = 1\n\n[token]\njwt = T\n'],
    ['[a]\r\nb = 1\r\n', '[a]\r\nb = 1\r\n\r\n[token]\r\njwt = T\r\n'],
    ['[token]', '[token]\njwt = T\n'],
    ['[token]\n# mine\nother = 1\n[a]\njwt = 2\n', '[token]\njwt = T\n# mine\nother = 1\n[a]\njwt = 2\n'],
    ['[a]\njwt = 2\n[ token ]\nx=1\nJWT:   old $& \r\n[b]', '[a]\njwt = 2\n[ token ]\nx=1\nJWT:   T\r\n[b]'],
    ['[token]\njwt =\n[b]\n', '[token]\njwt =T\n[b]\n'],
  ])('%j keeps everything but the token', (text, expected) => {
    expect(properties.withToken(text, 'T')).toBe(expected);
    expect(properties.read(properties.withToken(text, 'a.$1.b'))['token']?.['jwt']).toBe('a.$1.b');
  });
});

describe('a YAML file', () => {
  it('is read by sections; other things are left alone', () => {
    const text =
      'thingsboard:\n  url: http://a\n  password: 12345\nlocation: {latitude: 35.7}\nlist: [1, 2]\ndevice:\n';
    expect(yaml.read(text)).toEqual({
      thingsboard: { url: 'http://a', password: '12345' },
      location: { latitude: '35.7' },
      list: {},
      device: {},
    });
  });

  it.each(['a: [1', '- 1\n- 2', 'a: 1\na: 2', 'just words'])('%j is refused in one line', (text) => {
    expect(() => yaml.read(text)).toThrow(/^[^\n]+\.$/);
  });

  it.each([
    ['', 'token:\n  jwt: "T"\n'],
    ['a:\n  b: 1   # why', 'a:\n  b: 1   # why\ntoken:\n  jwt: "T"\n'],
    ['token:\n  jwt:   old # mine\na: {b: 1}\n', 'token:\n  jwt:   "T" # mine\na: {b: 1}\n'],
    ["token: {jwt: 'old'}\n", 'token: {jwt: "T"}\n'],
  ])('%j keeps everything but the token', (text, expected) => {
    expect(yaml.withToken(text, 'T')).toBe(expected);
  });

  it.each(['{"a": {"b": 1}}', 'token:\na: {b: 1}\n', 'token: {other: 1}\na: {b: 1}\n', 'token:\n  jwt:\na: {b: 1}\n'])(
    '%j gets a token, and loses nothing',
    (text) => {
      const sections = yaml.read(yaml.withToken(text, 'T'));
      expect(sections).toMatchObject({ a: { b: '1' }, token: { jwt: 'T' } });
    },
  );
});

describe('the file of a device', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'config-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('keeps its mode, and what links to it', async () => {
    const path = join(folder, 'config.properties');
    const link = join(folder, 'link.properties');
    await writeFile(path, '[a]\nb = 1\n');
    await chmod(path, 0o640);
    await symlink(path, link);
    const failures: string[] = [];
    const file = await ConfigFile.open(link);
    await file.tokenStore((message) => failures.push(message)).save('T');
    expect(failures).toEqual([]);
    expect(await readFile(path, 'utf8')).toBe('[a]\nb = 1\n\n[token]\njwt = T\n');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect((await readdir(folder)).sort()).toEqual(['config.properties', 'link.properties']);
  });

  it('says that a token could not be kept, and goes on', async () => {
    const path = join(folder, 'config.yaml');
    await writeFile(path, 'a: {}\n');
    const file = await ConfigFile.open(path);
    await rm(path);
    const failures: string[] = [];
    await file.tokenStore((message) => failures.push(message)).save('T');
    expect(failures[0]).toMatch(/^The token could not be kept in .*config.yaml: /);
  });

  it.each([
    ['missing.properties', undefined, /cannot be read: .*ENOENT/],
    ['a.txt', '', /has to be a .properties or a .yaml file/],
    ['a.properties', 'what?', /a.properties: line 1 is not key = value/],
    ['a.yaml', '- 1', /a.yaml: the file has to be a mapping/],
  ])('%s is refused with what is wrong', async (name, text, message) => {
    if (text !== undefined) await writeFile(join(folder, name), text);
    await expect(ConfigFile.open(join(folder, name))).rejects.toThrow(message);
  });
});
