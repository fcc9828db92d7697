import { badPayload, nameOf, objectOf, type JsonObject } from './payload.ts';

/** Which attributes are asked for: names, or all of a scope. */
export interface WantedAttributes {
  client?: readonly string[] | true;
  shared?: readonly string[] | true;
}

export interface FoundAttributes {
  client: JsonObject;
  shared: JsonObject;
}

/** `{"clientKeys": "a,b", "sharedKeys": "c"}`; without either, everything. Throws `BAD_PAYLOAD`. */
export function parseAttributeRequest(document: unknown): WantedAttributes {
  const { clientKeys, sharedKeys } = objectOf(document, 'A request for attributes');
  return wantedOf(keysOf(clientKeys, 'clientKeys'), keysOf(sharedKeys, 'sharedKeys'));
}

/** Names of both scopes; without either, everything. */
export function wantedOf(
  client: readonly string[] | undefined,
  shared: readonly string[] | undefined,
): WantedAttributes {
  if (!client && !shared) return { client: true, shared: true };
  return { ...(client ? { client } : {}), ...(shared ? { shared } : {}) };
}

/** Names joined by commas. */
export const namesOf = (joined: string): string[] => joined.split(',').filter((name) => name !== '');

function keysOf(joined: unknown, field: string): string[] | undefined {
  if (joined === undefined || joined === null) return undefined;
  if (typeof joined === 'string') return namesOf(joined);
  throw badPayload(`"${field}" must be a string of names joined by commas, this is ${nameOf(joined)}.`);
}

/** The answer to a request for attributes: a scope of which nothing was found is left out. */
export const attributesReply = ({ client, shared }: FoundAttributes): Partial<FoundAttributes> => ({
  ...(Object.keys(client).length === 0 ? {} : { client }),
  ...(Object.keys(shared).length === 0 ? {} : { shared }),
});

/** A gateway's request for attributes of a device behind it. */
export interface ChildAttributeRequest {
  id: number;
  device: string;
  wanted: WantedAttributes;
  /** How many names were asked for. */
  names: number;
}

/** `{"id": 1, "device": "A", "client": true, "key": "a"}`, or `"keys": ["a", "b"]`; without names, everything. Throws `BAD_PAYLOAD`. */
export function parseChildAttributeRequest(document: unknown): ChildAttributeRequest {
  const { id, device, client, key, keys } = objectOf(document, 'A request for attributes');
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) throw badPayload('"id" must be a whole number.');
  const names = childKeysOf(key, keys);
  const wanted =
    names.length === 0 ? wantedOf(undefined, undefined) : client === true ? { client: names } : { shared: names };
  return { id, device: deviceNameOf(device), wanted, names: names.length };
}

function childKeysOf(key: unknown, keys: unknown): string[] {
  if (keys === undefined || keys === null) return key === undefined || key === null ? [] : [stringOf(key, 'key')];
  if (Array.isArray(keys)) return keys.map((name) => stringOf(name, 'keys'));
  throw badPayload(`"keys" must be an array of names, this is ${nameOf(keys)}.`);
}

function stringOf(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  throw badPayload(`"${field}" must be a name, this is ${nameOf(value)}.`);
}

/** The name of a device behind a gateway. Throws `BAD_PAYLOAD`. */
export function deviceNameOf(device: unknown): string {
  if (typeof device === 'string' && device !== '' && device.length <= 128) return device;
  throw badPayload('"device" must be a name of 1 to 128 characters.');
}

/** One attribute that was found for one name is a `value`; everything else are `values`. */
export function childAttributesReply(
  { id, device, names }: ChildAttributeRequest,
  { client, shared }: FoundAttributes,
): JsonObject {
  const values = { ...shared, ...client };
  const found = Object.values(values);
  return found.length === 1 && names <= 1 && names > 0 ? { id, device, value: found[0] } : { id, device, values };
}

/** What a device is told of changed shared attributes; removed ones are names under `deleted`. */
export const pushedAttributes = (changed: JsonObject, deleted: readonly string[]): JsonObject =>
  deleted.length === 0 ? changed : { ...changed, deleted };

/** Entries of a document by device: `{"A": ..., "B": ...}`. Throws `BAD_PAYLOAD` for another form, none at all, or names that cannot be. */
export function byDevice(document: unknown, what: string): [string, unknown][] {
  const entries = Object.entries(objectOf(document, what));
  if (entries.length === 0)
    throw badPayload(`${what} must be a JSON object with a member for each device; this has none.`);
  for (const [name] of entries) deviceNameOf(name);
  return entries;
}
