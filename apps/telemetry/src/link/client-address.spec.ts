import { expect, test } from '@jest/globals';
import { clientAddress } from './client-address.ts';

const proxies = (count: number) => (_: string, n: number) => n < count;

test('is that of the connection where no proxy is trusted, whatever a header says', () => {
  expect(clientAddress('192.0.2.1', undefined, proxies(0))).toBe('192.0.2.1');
  expect(clientAddress('192.0.2.1', '203.0.113.9', proxies(0))).toBe('192.0.2.1');
});

test('is the last that a trusted proxy names, whatever the client has put before it', () => {
  expect(clientAddress('10.0.0.1', '203.0.113.9, 198.51.100.7', proxies(1))).toBe('198.51.100.7');
  expect(clientAddress('10.0.0.1', ['203.0.113.9', '198.51.100.7, 10.0.0.2'], proxies(2))).toBe('198.51.100.7');
});

test('is the farthest that is named where there are more trusted proxies than names', () => {
  expect(clientAddress('10.0.0.1', undefined, proxies(1))).toBe('10.0.0.1');
  expect(clientAddress('10.0.0.1', ' , 203.0.113.9', proxies(5))).toBe('203.0.113.9');
});
