import { describe, expect, test } from '@jest/globals';
import { ATTRIBUTE_LIMITS } from './attribute-limits.ts';
import { keysOf, planWrite, type StoredAttribute } from './attribute-write.ts';

const NONE = { keys: 0, bytes: 0 };
const shared = (key: string, value: unknown): StoredAttribute => ({ scope: 'shared', key, value });

describe('a write of attributes', () => {
  test('merges what people write, and deletes with null at every level', () => {
    const { changes } = planWrite(
      [shared('a', { b: 1, c: { d: 2, e: 3 } }), shared('x', 1)],
      {
        shared: { a: { b: 5, c: { d: null } }, x: null, y: [1, null] },
      },
      NONE,
    );
    expect(changes.get('shared')).toEqual({ changed: { a: { b: 5, c: { e: 3 } }, y: [1, null] }, deleted: ['x'] });
  });

  test('replaces what a device reports of itself', () => {
    const stored = [{ scope: 'client', key: 'a', value: { b: 1 } } as const];
    const { changes } = planWrite(stored, { client: { a: { c: null } } }, NONE);
    expect(changes.get('client')).toEqual({ changed: { a: { c: null } }, deleted: [] });
  });

  test.each<[string, StoredAttribute[], Record<string, unknown>]>([
    ['the same value', [shared('a', { b: [1, { c: null }] })], { a: { b: [1, { c: null }] } }],
    ['the same fields in another order', [shared('a', { b: 1, c: 2 })], { a: { c: 2, b: 1 } }],
    ['an empty object that is merged', [shared('a', { b: 1 })], { a: {} }],
    ['deleting what is not there', [], { a: null }],
    ['deleting what is deleted', [shared('a', null)], { a: null }],
    ['minus zero for zero', [shared('a', 0)], { a: -0 }],
    ['nothing', [shared('a', 0)], {}],
  ])('comes to nothing with %s', (_, stored, patch) => {
    expect(planWrite(stored, { shared: patch }, NONE)).toEqual({ changes: new Map(), keys: 0, bytes: 0 });
  });

  test('counts keys and bytes, those of deleted shared ones until the device knows', () => {
    const added = planWrite([], { shared: { ab: 'é' }, server: { c: 1 } }, NONE);
    expect(added).toMatchObject({ keys: 2, bytes: 2 + 4 + 1 + 1 });
    expect(planWrite([shared('ab', 'é')], { shared: { ab: null } }, NONE)).toMatchObject({ keys: 0, bytes: -4 });
    const server = { scope: 'server', key: 'c', value: 1 } as const;
    expect(planWrite([server], { server: { c: null } }, NONE)).toMatchObject({ keys: -1, bytes: -2 });
    expect(planWrite([shared('ab', null)], { shared: { ab: 1 } }, NONE)).toMatchObject({ keys: 0, bytes: 1 });
  });

  test.each([
    ['', /no valid key/],
    ['a\u0000', /no valid key/],
    ['\ud800', /no valid key/],
    ['k'.repeat(256), /"k{64}…"/],
  ])('refuses the key %j', (key, message) => {
    expect(() => keysOf({ shared: { [key]: 1 } })).toThrow(
      expect.objectContaining({ code: 'BAD_ATTRIBUTE', message: expect.stringMatching(message) }),
    );
  });

  test('takes a key of 255 characters and a prototype’s name as one like any other', () => {
    const patch = { shared: JSON.parse(`{"${'k'.repeat(255)}":1,"__proto__":2}`) as Record<string, unknown> };
    expect(keysOf(patch)[0]?.[1]).toHaveLength(2);
    const { changed } = planWrite([], patch, NONE).changes.get('shared') ?? { changed: {} };
    expect(Object.keys(changed)).toContain('__proto__');
  });

  const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

  test('refuses a value that is nested deeper than 32 levels, by its key', () => {
    expect(keysOf({ client: { deep: nested(32) } })).toEqual([['client', ['deep']]]);
    const refused = { code: 'BAD_ATTRIBUTE', message: expect.stringContaining('"deep"') };
    expect(() => keysOf({ client: { deep: nested(33) } })).toThrow(expect.objectContaining(refused));
    expect(() => keysOf({ client: { deep: nested(100_000) } })).toThrow(expect.objectContaining(refused));
  });

  test('refuses a value of more than 16 KiB, by its key, also one that grew by merging', () => {
    const refused = expect.objectContaining({
      code: 'ATTRIBUTES_TOO_LARGE',
      message: expect.stringContaining('"big"'),
    });
    const half = 'x'.repeat(ATTRIBUTE_LIMITS.valueBytes / 2);
    expect(() => planWrite([], { server: { big: half + half } }, NONE)).toThrow(refused);
    expect(() => planWrite([shared('big', { a: half })], { shared: { big: { b: half } } }, NONE)).toThrow(refused);
  });

  test('refuses more keys or bytes than a device may have, but not to have fewer', () => {
    const full = { keys: ATTRIBUTE_LIMITS.keys, bytes: ATTRIBUTE_LIMITS.bytes };
    const refused = expect.objectContaining({ code: 'ATTRIBUTES_TOO_LARGE', message: expect.stringContaining('"n"') });
    expect(() => planWrite([], { client: { n: 1 } }, { ...full, bytes: 0 })).toThrow(refused);
    expect(() => planWrite([], { client: { n: 1 } }, { ...full, keys: 0 })).toThrow(refused);
    const server = { scope: 'server', key: 'old', value: 'a' } as const;
    expect(planWrite([server], { client: { n: 1 }, server: { old: null } }, full)).toMatchObject({ keys: 0 });
  });
});
