import { isDeepStrictEqual } from 'node:util';
import { mergePatch } from '#platform';
import type { AttributeScope } from './attribute.entity.ts';
import { checkKey, checkTotals, checkValue, sizeOf } from './attribute-limits.ts';

/** An attribute as it is before a write; a `value` of null is one that was deleted. */
export interface StoredAttribute {
  scope: AttributeScope;
  key: string;
  value: unknown;
}

/** What is to be written of each scope: null deletes. */
export type AttributesPatch = Partial<Record<AttributeScope, Readonly<Record<string, unknown>>>>;

/** What a write of one scope comes to. */
export interface ScopeChange {
  changed: Record<string, unknown>;
  deleted: string[];
}

/** What a write comes to; scopes in which nothing changes are not there. */
export interface WritePlan {
  changes: Map<AttributeScope, ScopeChange>;
  /** By how much the twin's counts change. */
  keys: number;
  bytes: number;
}

/** The keys that a patch is about, by scope. Throws `BAD_ATTRIBUTE` for what cannot be attributes. */
export function keysOf(patch: AttributesPatch): [AttributeScope, string[]][] {
  return scopesOf(patch).map(([scope, values]) => {
    for (const [key, value] of Object.entries(values)) {
      checkKey(key);
      checkValue(key, value);
    }
    return [scope, Object.keys(values)];
  });
}

/**
 * What a write comes to, given what is there of its keys. What people write is merged (RFC 7396); what a device reports of a key
 * replaces it. Throws `BAD_ATTRIBUTE` and `ATTRIBUTES_TOO_LARGE`.
 * @param totals What the device has of all attributes.
 * @param again What stays as it is counts as changed.
 */
export function planWrite(
  stored: readonly StoredAttribute[],
  patch: AttributesPatch,
  totals: { keys: number; bytes: number },
  again = false,
): WritePlan {
  const before = new Map(stored.map((attribute) => [`${attribute.scope} ${attribute.key}`, attribute.value]));
  const plan: WritePlan = { changes: new Map(), keys: 0, bytes: 0 };
  let newest: string | undefined;
  for (const [scope, values] of scopesOf(patch)) {
    const changed: [string, unknown][] = [];
    const deleted: string[] = [];
    for (const [key, value] of Object.entries(values)) {
      const old = before.get(`${scope} ${key}`);
      const next = nextValue(scope, key, old, value);
      if (isDeepStrictEqual(old ?? null, next) && !(again && next !== null)) continue;
      if (next === null) deleted.push(key);
      else {
        changed.push([key, next]);
        newest = key;
      }
      const cost = costOf(scope, key, next);
      plan.keys += cost.keys - costBefore(key, old).keys;
      plan.bytes += cost.bytes - costBefore(key, old).bytes;
    }
    if (changed.length + deleted.length > 0) plan.changes.set(scope, { changed: Object.fromEntries(changed), deleted });
  }
  if (newest !== undefined) checkTotals(newest, { keys: totals.keys + plan.keys, bytes: totals.bytes + plan.bytes });
  return plan;
}

/** The value that a key has after a write; null if it has none. */
function nextValue(scope: AttributeScope, key: string, old: unknown, value: unknown): unknown {
  if (value === null) return null;
  const next = asJson(scope === 'client' ? value : mergePatch(old, value));
  checkValue(key, next);
  return next;
}

interface Cost {
  keys: number;
  bytes: number;
}

const NOTHING: Cost = { keys: 0, bytes: 0 };

/** What is kept of an attribute after a write: of a deleted one its key, until the device knows. */
const costOf = (scope: AttributeScope, key: string, next: unknown): Cost =>
  next === null && scope !== 'shared' ? NOTHING : costBefore(key, next);

/** What is kept of an attribute; undefined stands for one that is not there. */
function costBefore(key: string, value: unknown): Cost {
  if (value === undefined) return NOTHING;
  return { keys: 1, bytes: value === null ? Buffer.byteLength(key) : sizeOf(key, value) };
}

/** As it will be read again: -0 is 0 in JSON. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const scopesOf = (patch: AttributesPatch): [AttributeScope, Readonly<Record<string, unknown>>][] =>
  (['client', 'shared', 'server'] as const).flatMap((scope) => {
    const values = patch[scope];
    return values ? [[scope, values]] : [];
  });
