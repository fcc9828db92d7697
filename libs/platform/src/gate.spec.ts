import { expect, test } from '@jest/globals';
import { Gate } from './gate.ts';

test('lets so many in at once and the others one by one, in order', async () => {
  const gate = new Gate(2, 100, 'too many');
  const order: number[] = [];
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      gate.run(async () => {
        order.push(index);
        most = Math.max(most, (inside += 1));
        await new Promise(setImmediate);
        inside -= 1;
      }),
    ),
  );
  expect(most).toBe(2);
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test('refuses when the line is full, and lets in again later', async () => {
  const gate = new Gate(1, 1, 'too many');
  let finish: () => void = () => undefined;
  const first = gate.run(() => new Promise<void>((resolve) => (finish = resolve)));
  const second = gate.run(() => Promise.resolve('second'));
  await expect(gate.run(() => Promise.resolve())).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 2_000 });
  finish();
  await first;
  expect(await second).toBe('second');
  expect(await gate.run(() => Promise.resolve('third'))).toBe('third');
});

test('lets the next one in after a failure', async () => {
  const gate = new Gate(1, 1, 'too many');
  await expect(gate.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await gate.run(() => Promise.resolve('next'))).toBe('next');
});
