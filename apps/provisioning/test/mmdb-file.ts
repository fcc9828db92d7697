import { isIPv4 } from 'node:net';

/** What a file of tests says of a network: text, numbers (as doubles), lists and objects of these. */
export type MmdbValue = string | number | MmdbValue[] | { [key: string]: MmdbValue };

/** Numbers of types in the data section; those above 7 are extended. */
const TYPE = { string: 2, double: 3, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11 } as const;
const METADATA_START = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com')]);
const SEPARATOR = Buffer.alloc(16);

type Branch = [Branch | number | null, Branch | number | null];

/**
 * A small file in MaxMind's DB format, version 2.0 (https://maxmind.github.io/MaxMind-DB/), made of networks such as `8.8.8.0/24` or
 * `2a00:1450::/32` (without `::` inside) and what is known of each.
 */
export function mmdbFile(networks: Record<string, MmdbValue>): Buffer {
  const data: Buffer[] = [];
  let length = 0;
  const tree: Branch = [null, null];
  for (const [network, value] of Object.entries(networks)) {
    const encoded = encode(value);
    insert(tree, bitsOf(network), length);
    data.push(encoded);
    length += encoded.length;
  }
  const nodes = numbered(tree);
  return Buffer.concat([records(nodes), SEPARATOR, ...data, METADATA_START, metadata(nodes.size)]);
}

function insert(tree: Branch, bits: number[], offset: number): void {
  let at = tree;
  for (const bit of bits.slice(0, -1)) {
    const next = at[bit];
    at = typeof next === 'object' && next !== null ? next : (at[bit] = [null, null]);
  }
  at[bits.at(-1) ?? 0] = offset;
}

/** IPv4 networks are within ::/96. */
function bitsOf(network: string): number[] {
  const [address = '', prefix = ''] = network.split('/');
  const bytes = isIPv4(address)
    ? [...Array<number>(12).fill(0), ...address.split('.').map(Number)]
    : ipv6Groups(address).flatMap((group) => [group >> 8, group & 0xff]);
  const bits = bytes.flatMap((byte) => Array.from({ length: 8 }, (_, bit) => (byte >> (7 - bit)) & 1));
  return bits.slice(0, Number(prefix) + (isIPv4(address) ? 96 : 0));
}

function ipv6Groups(address: string): number[] {
  const groups = address
    .replace(/::$/, '')
    .split(':')
    .map((group) => parseInt(group, 16));
  return [...groups, ...Array<number>(8 - groups.length).fill(0)];
}

function numbered(tree: Branch, nodes = new Map<Branch, number>()): Map<Branch, number> {
  nodes.set(tree, nodes.size);
  for (const next of tree) if (typeof next === 'object' && next !== null) numbered(next, nodes);
  return nodes;
}

function records(nodes: Map<Branch, number>): Buffer {
  const count = nodes.size;
  const valueOf = (next: Branch | number | null): number => {
    if (next === null) return count;
    return typeof next === 'number' ? count + SEPARATOR.length + next : (nodes.get(next) ?? count);
  };
  const tree = Buffer.alloc(count * 8);
  for (const [branch, index] of nodes)
    branch.forEach((next, side) => tree.writeUInt32BE(valueOf(next), index * 8 + side * 4));
  return tree;
}

function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string')
    return Buffer.concat([control(TYPE.string, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([control(TYPE.double, 8), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([control(TYPE.array, value.length), ...value.map(encode)]);
  return map(Object.entries(value).map(([key, item]) => [key, encode(item)]));
}

const map = (entries: [string, Buffer][]): Buffer =>
  Buffer.concat([control(TYPE.map, entries.length), ...entries.flatMap(([key, item]) => [encode(key), item])]);

function control(type: number, size: number): Buffer {
  const [sizeBits, more] = size < 29 ? [size, []] : [29, [size - 29]];
  return type <= 7 ? Buffer.from([(type << 5) | sizeBits, ...more]) : Buffer.from([sizeBits, type - 7, ...more]);
}

function integer(type: number, value: number, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return Buffer.concat([control(type, size), bytes.subarray(8 - size)]);
}

const metadata = (nodeCount: number): Buffer =>
  map([
    ['binary_format_major_version', integer(TYPE.uint16, 2, 2)],
    ['binary_format_minor_version', integer(TYPE.uint16, 0, 2)],
    ['build_epoch', integer(TYPE.uint64, 1_767_225_600, 8)],
    ['database_type', encode('Test-City')],
    ['description', encode({ en: 'made by a test' })],
    ['ip_version', integer(TYPE.uint16, 6, 2)],
    ['languages', encode(['en'])],
    ['node_count', integer(TYPE.uint32, nodeCount, 4)],
    ['record_size', integer(TYPE.uint16, 32, 2)],
  ]);
