import { expect, test } from '@jest/globals';
import { publicAddress } from './public-address.ts';

test.each([
  ['8.8.8.8', '8.8.8.8'],
  ['::ffff:8.8.8.8', '8.8.8.8'],
  ['2a00:1450:4001::1', '2a00:1450:4001::1'],
  ['172.32.0.1', '172.32.0.1'],
])('%s is asked for as %s', (address, expected) => {
  expect(publicAddress(address)).toBe(expected);
});

test.each([
  '127.0.0.1',
  '::1',
  '::',
  '::ffff:127.0.0.1',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.0.1',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '203.0.113.7',
  'fe80::1',
  'fe80::1%eth0',
  'fd00::1',
  'ff02::1',
  '2001:db8::1',
  'localhost',
  '',
])('%j is not asked for', (address) => {
  expect(publicAddress(address)).toBeUndefined();
});
