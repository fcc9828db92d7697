import { expect, test } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { Passwords } from './passwords.ts';

const passwords = new Passwords();

test('matches the same password, however its characters are composed, and no other', async () => {
  const stored = await passwords.hash('Zoë’s password');
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await passwords.matches(stored, 'Zoe\u0308’s password')).toBe(true);
  expect(await passwords.matches(stored, 'Zoë’s passwor')).toBe(false);
});

test('nobody has a password, not even the one of nobody', async () => {
  expect(await passwords.matches(undefined, 'the password of nobody')).toBe(false);
});

test('knows a hash of other costs', async () => {
  expect(passwords.isOutdated(await passwords.hash('correct horse'))).toBe(false);
  expect(passwords.isOutdated(await hash('correct horse', { memoryCost: 8_192, timeCost: 1 }))).toBe(true);
});
