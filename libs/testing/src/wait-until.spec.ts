import { expect, test } from '@jest/globals';
import { waitUntil } from './wait-until.ts';

test('gives back the first truthy value', async () => {
  const values = [undefined, 0, 'ready'];
  await expect(waitUntil(() => values.shift(), { what: 'it is ready', everyMs: 1 })).resolves.toBe('ready');
});

test('a condition that throws is looked at again', async () => {
  let looks = 0;
  const condition = () => {
    looks += 1;
    if (looks < 3) throw new Error('not yet');
    return Promise.resolve(looks);
  };
  await expect(waitUntil(condition, { what: 'it stops throwing', everyMs: 1 })).resolves.toBe(3);
});

test('the error names what was waited for and the last value seen', async () => {
  const wait = waitUntil(() => null, { what: 'the moon is blue', timeoutMs: 5, everyMs: 1 });
  await expect(wait).rejects.toThrow('waited 5 ms until the moon is blue: last saw null');
});

test('the error names what was waited for and the last error', async () => {
  const wait = waitUntil(() => Promise.reject(new Error('refused')), { what: 'it answers', timeoutMs: 5, everyMs: 1 });
  await expect(wait).rejects.toThrow('until it answers: refused');
});
