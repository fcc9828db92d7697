import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { acknowledgementOf, decode, decodePublish } from './packet-codec.ts';

const VERSIONS = [3, 4, 5] as const;
const refused = expect.objectContaining({ code: 'MALFORMED_PACKET' });

describe('a PUBLISH', () => {
  it('is read as it was written, in every version', () => {
    const properties = { userProperties: { batchId: 'b', many: ['x', 'y'] } };
    fc.assert(
      fc.property(
        fc.constantFrom(...VERSIONS),
        fc.stringMatching(/^[a-z/é€😀]{1,40}$/u),
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom<0 | 1 | 2>(0, 1, 2),
        fc.integer({ min: 1, max: 65_535 }),
        fc.boolean(),
        (version, topic, content, qos, messageId, withProperties) => {
          const payload = Buffer.from(content);
          const said = withProperties && version === 5 ? { properties } : {};
          const bytes = generate(
            { cmd: 'publish', topic, payload, qos, messageId, dup: false, retain: false, ...said },
            { protocolVersion: version },
          );
          const read = decodePublish(
            Buffer.concat([Buffer.from('ab'), bytes, Buffer.from('c')]),
            2,
            2 + bytes.length,
            version,
          );
          expect({ ...read, payload: read.payload }).toMatchObject({ topic, qos, packetId: qos === 0 ? 0 : messageId });
          expect(read.payload.equals(payload)).toBe(true);
          expect(read.text).toBe(payload.toString());
          expect(read.userProperties).toEqual('properties' in said ? properties.userProperties : {});
        },
      ),
    );
  });

  it.each([
    ['is empty', [0x30, 0]],
    ['has a topic longer than itself', [0x30, 4, 0, 9, 0x61, 0x61]],
    ['has no identifier', [0x32, 4, 0, 2, 0x61, 0x61]],
    ['has the identifier 0', [0x32, 6, 0, 2, 0x61, 0x61, 0, 0]],
    ['has QoS 3', [0x36, 6, 0, 2, 0x61, 0x61, 0, 1]],
    ['has a topic that is not UTF-8', [0x30, 4, 0, 2, 0xc3, 0x28]],
    ['has U+0000 in its topic', [0x30, 4, 0, 2, 0x61, 0]],
  ])('that %s is refused', (_what, bytes) => {
    const frame = Buffer.from(bytes);
    expect(() => decodePublish(frame, 0, frame.length, 4)).toThrow(refused);
  });

  it('may have U+FFFD in its topic', () => {
    const frame = Buffer.from([0x30, 5, 0, 3, 0xef, 0xbf, 0xbd]);
    expect(decodePublish(frame, 0, frame.length, 4).topic).toBe('\ufffd');
  });
});

describe('a packet', () => {
  it.each([
    ['of no type', [0x00, 0]],
    ['with reserved flags', [0x80, 0]],
    ['that only a server sends', [0x90, 3, 0, 1, 0]],
    ['without an identifier', [0x40, 0]],
    ['with the identifier 0', [0x40, 2, 0, 0]],
    ['PINGREQ with content', [0xc0, 1, 0]],
    ['SUBSCRIBE without filters', [0x82, 2, 0, 1]],
    ['UNSUBSCRIBE without filters', [0xa2, 2, 0, 1]],
  ])('%s is refused', (_what, bytes) => {
    expect(() => decode(Buffer.from(bytes), 4)).toThrow(refused);
  });

  it.each([
    ['twice the same property', [0x82, 11, 0, 1, 4, 0x0b, 1, 0x0b, 2, 0, 1, 0x61, 0]],
    ['a property of another packet', [0xa2, 9, 0, 1, 3, 0x23, 0, 1, 0, 1, 0x61]],
    ['properties that are cut off', [0x82, 4, 0, 1, 9, 0x0b]],
  ])('of version 5 with %s is refused', (_what, bytes) => {
    expect(() => decode(Buffer.from(bytes), 5)).toThrow(refused);
  });

  it('does not suffer from the one before it', () => {
    for (let time = 0; time < 3; time += 1) {
      expect(() => decode(Buffer.from([0x82, 9, 0, 1]), 4)).toThrow(refused);
      expect(decode(Buffer.from([0xc0, 0]), 4)).toMatchObject({ cmd: 'pingreq' });
    }
  });

  it('is refused however it is broken, and nothing else is thrown', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(3, 4, 5, undefined),
        fc.nat(255),
        fc.uint8Array({ maxLength: 127 }),
        (version, first, rest) => {
          const frame = Buffer.from([first, rest.length, ...rest]);
          try {
            decode(frame, version);
          } catch (error) {
            expect(error).toEqual(refused);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('an acknowledgement', () => {
  it.each(['puback', 'pubrec', 'pubcomp'] as const)('%s is what the codec writes', (cmd) => {
    expect(acknowledgementOf(cmd, 0x1234).equals(generate({ cmd, messageId: 0x1234 }))).toBe(true);
  });
});
