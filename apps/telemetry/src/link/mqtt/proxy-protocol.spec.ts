import { describe, expect, it } from '@jest/globals';
import { readProxyHeader } from './proxy-protocol.ts';

const text = (line: string): Buffer => Buffer.from(line, 'latin1');
const SIGNATURE = text('\r\n\r\n\0\r\nQUIT\n');
const binary = (command: number, family: number, addresses: number[]): Buffer =>
  Buffer.concat([SIGNATURE, Buffer.from([command, family, 0, addresses.length, ...addresses])]);
const IPV6 = [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 7];

describe('the header of the PROXY protocol', () => {
  it.each([
    ['of version 1 with IPv4', text('PROXY TCP4 198.51.100.7 203.0.113.1 5000 1883\r\n'), '198.51.100.7'],
    ['of version 1 with IPv6', text('PROXY TCP6 2001:db8::7 2001:db8::1 5000 1883\r\n'), '2001:db8::7'],
    ['of version 1 that knows nothing', text('PROXY UNKNOWN\r\n'), undefined],
    ['of version 2 with IPv4', binary(0x21, 0x11, [198, 51, 100, 7, 203, 0, 113, 1, 19, 136, 7, 91]), '198.51.100.7'],
    ['of version 2 with IPv6', binary(0x21, 0x21, [...IPV6, ...IPV6, 19, 136, 7, 91]), '2001:db8:0:0:0:0:0:7'],
    [
      'of version 2 with more than addresses',
      binary(0x21, 0x11, [198, 51, 100, 7, 203, 0, 113, 1, 19, 136, 7, 91, 4, 0, 1, 0]),
      '198.51.100.7',
    ],
    ['of version 2 of the proxy itself', binary(0x20, 0, []), undefined],
    ['of version 2 with a family that is not IP', binary(0x21, 0x31, Array<number>(216).fill(1)), undefined],
  ])('%s is read', (_what, header, address) => {
    const rest = Buffer.from([0x10, 0]);
    expect(readProxyHeader(Buffer.concat([header, rest]))).toEqual({ address, length: header.length });
    for (let length = 0; length < header.length; length += 1)
      expect(readProxyHeader(header.subarray(0, length))).toBe('incomplete');
  });

  it.each([
    ['a CONNECT', Buffer.from([0x10, 12, 0, 4])],
    ['another word', text('PROXX TCP4')],
    ['another family', text('PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n')],
    ['an address that is none', text('PROXY TCP4 <script> 1.2.3.4 1 1\r\n')],
    ['a line without end', text(`PROXY TCP4 ${'1'.repeat(120)}`)],
    ['another version', binary(0x31, 0x11, [])],
    ['a length that nobody needs', Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff])])],
    ['a signature that is not one', text('\r\n\r\n\0\r\nQUIX')],
  ])('is not %s', (_what, bytes) => {
    expect(readProxyHeader(bytes)).toBe('invalid');
  });
});
