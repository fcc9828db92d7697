import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { KeyVault } from './key-vault.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const vault = new KeyVault('one secret');

test('a sealed key is the same when it is opened, and nothing of it shows', () => {
  const sealed = vault.seal('a', privateKey);
  expect(vault.open('a', sealed).equals(privateKey)).toBe(true);
  expect(sealed).not.toContain(privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64').slice(40, 60));
  expect(vault.seal('a', privateKey)).not.toBe(sealed);
});

test('another secret, another id and a changed byte do not open it', () => {
  const sealed = vault.seal('a', privateKey);
  const changed = Buffer.from(sealed, 'base64');
  changed.writeUInt8(changed.readUInt8(40) ^ 1, 40);
  expect(() => new KeyVault('another secret').open('a', sealed)).toThrow('SECRET_KEY');
  expect(() => vault.open('b', sealed)).toThrow('SECRET_KEY');
  expect(() => vault.open('a', changed.toString('base64'))).toThrow('SECRET_KEY');
});
