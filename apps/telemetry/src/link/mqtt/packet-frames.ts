/** Why no frame can be found any more in what a client sends. */
export type FrameFault = 'malformed' | 'too large';

/** Bytes of a fixed header at most: the type and four of the remaining length. */
const MAX_HEADER_BYTES = 5;
const EMPTY = Buffer.alloc(0);

/**
 * Cuts what a client sends into control packets, by the remaining length of their fixed header (MQTT 5 section 2.1.4). A packet is
 * refused by its header, before any more of it is kept; what is kept of one that is not complete grows as it comes in.
 */
export class PacketFrames {
  /** The beginning of a packet; `kept` bytes of it are filled. */
  private beginning: Buffer = EMPTY;
  private kept = 0;
  private fault: FrameFault | undefined;

  /** Bytes of the largest packet, with its header. */
  constructor(public maxBytes: number) {}

  /**
   * Takes a chunk in and calls `take` with every packet that is complete: the bytes that it is in, where it begins and ends. `take` answers
   * whether to go on; what was not taken is there at the next call. Gives the fault once there is one: nothing is taken from then on.
   */
  feed(chunk: Buffer, take: (bytes: Buffer, start: number, end: number) => boolean): FrameFault | undefined {
    if (this.fault) return this.fault;
    const bytes = this.kept === 0 ? chunk : this.joined(chunk);
    let start = 0;
    let goesOn = true;
    while (goesOn && start < bytes.length) {
      const length = frameLength(bytes, start);
      if (length === undefined) break;
      if (length === 'malformed' || length > this.maxBytes) {
        this.fault = length === 'malformed' ? length : 'too large';
        this.drop();
        return this.fault;
      }
      if (start + length > bytes.length) break;
      goesOn = take(bytes, start, start + length);
      start += length;
    }
    this.keep(bytes, start);
    return undefined;
  }

  /** Only keeps a chunk, for a later call of {@link feed}. Gives how many bytes are kept. */
  hold(chunk: Buffer): number {
    this.keep(this.kept === 0 ? chunk : this.joined(chunk), 0);
    return this.kept;
  }

  /** Forgets what was kept. */
  drop(): void {
    this.beginning = EMPTY;
    this.kept = 0;
  }

  private joined(chunk: Buffer): Buffer {
    const length = this.kept + chunk.length;
    if (length > this.beginning.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, this.beginning.length * 2));
      this.beginning.copy(grown, 0, 0, this.kept);
      this.beginning = grown;
    }
    chunk.copy(this.beginning, this.kept);
    return this.beginning.subarray(0, length);
  }

  /** Keeps what begins at `start`: where it is already, or a copy, so that a small rest does not hold a whole chunk. */
  private keep(bytes: Buffer, start: number): void {
    const length = bytes.length - start;
    if (length === 0) {
      this.drop();
      return;
    }
    if (start > 0 || this.kept === 0) this.beginning = Buffer.from(bytes.subarray(start));
    this.kept = length;
  }
}

/** Bytes of the packet that begins at `start`; undefined while its header is not complete. */
function frameLength(bytes: Buffer, start: number): number | 'malformed' | undefined {
  let remaining = 0;
  let factor = 1;
  for (let offset = 1; offset < MAX_HEADER_BYTES; offset += 1) {
    const byte = bytes[start + offset];
    if (byte === undefined) return undefined;
    remaining += (byte & 0x7f) * factor;
    if (byte < 0x80) return 1 + offset + remaining;
    factor *= 0x80;
  }
  return 'malformed';
}
