import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { uuid7 } from '#platform';
import { importedIds } from './imported-id.ts';

describe('the id of an imported device', () => {
  const job = uuid7();
  const importedId = (jobId: string, line: number) => importedIds(jobId)(line);

  test('is a UUID, the same one for the same line, another one for another line or import', () => {
    const lines = [1, 2, 255, 256, 4_095, 65_536, 1_048_576, 2 ** 32 - 1];
    const ids = lines.map((line) => importedId(job, line));
    for (const id of ids) expect(z.uuidv7().safeParse(id).success).toBe(true);
    expect(new Set([...ids, ...lines.map((line) => importedId(uuid7(), line))]).size).toBe(2 * lines.length);
    expect(lines.map((line) => importedId(job, line))).toEqual(ids);
  });

  test('grows with the line', () => {
    const ids = [2, 300, 5_000, 70_000, 2_000_000].map((line) => importedId(job, line));
    expect([...ids].sort()).toEqual(ids);
  });
});
