/** What a proxy said of the connection that it passes on. */
export interface ProxyHeader {
  /** The client's IP address; undefined where the proxy speaks for itself (`LOCAL`, `UNKNOWN`). */
  address: string | undefined;
  /** Bytes of the header: what follows is the client's. */
  length: number;
}

/** Begins a header of version 2 (section 2.2 of the PROXY protocol). */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Longest line of version 1, with its end (section 2.1). */
const MOST_LINE_BYTES = 107;
/** Bytes of version 2 before the addresses. */
const FIXED_BYTES = 16;
/** Most that any proxy says in version 2: addresses and what may follow them. */
const MOST_BYTES = 4_096;

/**
 * Reads the header that a proxy puts in front of a connection, version 1 or 2
 * (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Gives `incomplete` while more has to come, and `invalid` for anything
 * else: then the connection is not from the proxy.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  if (bytes.length === 0) return 'incomplete';
  return bytes[0] === SIGNATURE[0] ? binaryHeader(bytes) : textHeader(bytes);
}

function textHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const line = bytes.toString('latin1', 0, MOST_LINE_BYTES);
  if (!line.startsWith('PROXY '.slice(0, line.length))) return 'invalid';
  const end = line.indexOf('\r\n');
  if (end < 0) return bytes.length < MOST_LINE_BYTES ? 'incomplete' : 'invalid';
  const length = end + 2;
  const [, family, source = ''] = line.slice(0, end).split(' ');
  if (family === 'UNKNOWN') return { address: undefined, length };
  const isAddress =
    (family === 'TCP4' && /^[0-9.]{7,15}$/.test(source)) || (family === 'TCP6' && /^[0-9a-fA-F:.]{2,45}$/.test(source));
  return isAddress ? { address: source, length } : 'invalid';
}

function binaryHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const begun = Math.min(bytes.length, SIGNATURE.length);
  if (!bytes.subarray(0, begun).equals(SIGNATURE.subarray(0, begun))) return 'invalid';
  if (bytes.length < FIXED_BYTES) return 'incomplete';
  const command = bytes.readUInt8(12);
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if (command >> 4 !== 2 || length > MOST_BYTES) return 'invalid';
  if (bytes.length < length) return 'incomplete';
  const isLocal = (command & 0xf) === 0;
  return {
    address: isLocal ? undefined : sourceAddress(bytes.subarray(FIXED_BYTES, length), bytes.readUInt8(13)),
    length,
  };
}

/** The source address of version 2; other families than IP have none that means anything here. */
function sourceAddress(addresses: Buffer, familyAndTransport: number): string | undefined {
  const family = familyAndTransport >> 4;
  if (family === 1 && addresses.length >= 12) return [...addresses.subarray(0, 4)].join('.');
  if (family !== 2 || addresses.length < 36) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => addresses.readUInt16BE(index * 2).toString(16));
  return groups.join(':');
}
