import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FileMemory } from './file-memory.ts';
import { MemoryMemory, type ProvisioningMemory } from './memory.ts';

describe('the memory of a device', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'memory-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const kinds: [string, () => ProvisioningMemory][] = [
    ['in a file', () => new FileMemory(join(folder, 'below', 'device.json'))],
    ['in memory', () => new MemoryMemory()],
  ];

  it.each(kinds)('%s has nothing at first, then what was saved last', async (_, create) => {
    const memory = create();
    expect(await memory.load()).toBeUndefined();
    await memory.save({ password: 'one' });
    await memory.save({ password: 'two', activated: false });
    expect(await memory.load()).toEqual({ password: 'two', activated: false });
  });

  it.each(kinds)('%s is not changed by changing what was saved', async (_, create) => {
    const memory = create();
    const document = { password: 'one' };
    await memory.save(document);
    document.password = 'two';
    expect(await memory.load()).toEqual({ password: 'one' });
  });

  it('is read by its owner alone, and leaves no other file', async () => {
    const path = join(folder, 'device.json');
    await writeFile(path, '{}', { mode: 0o644 });
    await new FileMemory(path).save({ password: 'secret' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['device.json']);
  });

  it('keeps the old document when the new one cannot be written', async () => {
    const path = join(folder, 'device.json');
    const memory = new FileMemory(path);
    await memory.save({ password: 'one' });
    const circle: Record<string, unknown> = {};
    circle['circle'] = circle;
    await expect(memory.save(circle)).rejects.toThrow();
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ password: 'one' });
  });

  it('says which file to remove when it is not a document of its own', async () => {
    const path = join(folder, 'device.json');
    await writeFile(path, '{"password": "on');
    await expect(new FileMemory(path).load()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: `${path} is not what a device keeps there: remove it, and the device is provisioned anew.`,
    });
  });
});
