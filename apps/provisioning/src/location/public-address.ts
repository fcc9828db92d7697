import { BlockList, isIP, isIPv4 } from 'node:net';

/** Addresses that are nobody's place in the world: IANA's special-purpose registries (RFC 6890). */
const SPECIAL = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  SPECIAL.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 127],
  ['2001:db8::', 32],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  SPECIAL.addSubnet(network, prefix, 'ipv6');
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The address as the world knows it, an IPv4 address that came over IPv6 as itself; undefined for a private or special one. */
export function publicAddress(address: string): string | undefined {
  const plain = MAPPED.exec(address)?.[1] ?? address;
  if (isIP(plain) === 0) return undefined;
  return SPECIAL.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6') ? undefined : plain;
}
