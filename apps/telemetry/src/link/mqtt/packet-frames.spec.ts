import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PacketFrames } from './packet-frames.ts';

const packet = (type: number, content: number): Buffer => {
  const header = content < 128 ? [type, content] : [type, (content & 127) | 128, content >> 7];
  return Buffer.concat([Buffer.from(header), Buffer.alloc(content, type)]);
};

function taken(frames: PacketFrames, chunk: Buffer, most = Number.POSITIVE_INFINITY): string[] {
  const found: string[] = [];
  frames.feed(chunk, (bytes, start, end) => {
    found.push(bytes.subarray(start, end).toString('hex'));
    return found.length < most;
  });
  return found;
}

describe('packets in a stream', () => {
  it('are found however it is cut up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 90 })),
        (sizes, cuts) => {
          const packets = sizes.map((size, index) => packet(0x30 + index, size));
          let rest = Buffer.concat(packets);
          const frames = new PacketFrames(1_000);
          const found: string[] = [];
          for (const cut of [...cuts, rest.length]) {
            found.push(...taken(frames, rest.subarray(0, cut)));
            rest = rest.subarray(cut);
          }
          found.push(...taken(frames, rest));
          expect(found).toEqual(packets.map((each) => each.toString('hex')));
        },
      ),
    );
  });

  it('that were not taken are there at the next call', () => {
    const frames = new PacketFrames(100);
    const [one, two, three] = [packet(0x30, 3), packet(0x31, 4), packet(0x32, 5)];
    expect(taken(frames, Buffer.concat([one, two, three]), 1)).toEqual([one.toString('hex')]);
    expect(taken(frames, Buffer.alloc(0))).toEqual([two.toString('hex'), three.toString('hex')]);
  });

  it('that are only held are taken later', () => {
    const frames = new PacketFrames(100);
    const one = packet(0x30, 3);
    expect(frames.hold(one.subarray(0, 2))).toBe(2);
    expect(frames.hold(one.subarray(2))).toBe(5);
    expect(taken(frames, Buffer.alloc(0))).toEqual([one.toString('hex')]);
  });

  it('that are too large are refused by their header', () => {
    const frames = new PacketFrames(100);
    expect(frames.feed(Buffer.from([0x30, 99]), () => true)).toBe('too large');
    expect(frames.feed(packet(0x30, 3), () => true)).toBe('too large');
  });

  it('whose remaining length has five bytes are none', () => {
    expect(new PacketFrames(1e9).feed(Buffer.from([0x30, 255, 255, 255, 255, 1]), () => true)).toBe('malformed');
  });
});
