import { isUtf8 } from 'node:buffer';
import { badFile } from './uploaded-row.ts';

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const CR = 0x0d;
const LF = 0x0a;
/** Bytes that are passed on at once at most. */
const SLICE = 65_536;

/**
 * Text as it comes in, without a byte order mark and with a line feed for every line end, in slices of whole characters.
 * Throws `INVALID_INPUT` with the line of the first bytes that are not UTF-8.
 */
export async function* utf8Text(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let line = 1;
  let begun = false;
  for await (const chunk of source) {
    let data = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!begun && data.length < BOM.length) {
      held = data;
      continue;
    }
    if (!begun && data.subarray(0, BOM.length).equals(BOM)) data = data.subarray(BOM.length);
    begun = true;
    const whole = data.subarray(0, data.length - unfinished(data));
    held = data.subarray(whole.length);
    const text = withLineFeeds(whole);
    if (!isUtf8(text)) throw notUtf8(text, line);
    line += countLines(text);
    for (let from = 0; from < text.length; from += SLICE) yield text.subarray(from, from + SLICE);
  }
  const text = withLineFeeds(held);
  if (!isUtf8(text)) throw notUtf8(text, line);
  if (text.length > 0) yield text;
}

/** How many bytes at the end belong to what follows: a character that is not complete, or a carriage return. */
function unfinished(data: Buffer): number {
  if (data.at(-1) === CR) return 1;
  for (let back = 1; back <= Math.min(3, data.length); back += 1) {
    const byte = data.at(-back) ?? 0;
    if (byte >= 0xc0) return lengthOf(byte) > back ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** Bytes of the character that begins with this one (RFC 3629 section 3). */
const lengthOf = (lead: number): number => (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2);

const withLineFeeds = (data: Buffer): Buffer =>
  data.includes(CR) ? Buffer.from(data.toString('latin1').replaceAll(/\r\n?/g, '\n'), 'latin1') : data;

function countLines(text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(LF); at >= 0; at = text.indexOf(LF, at + 1)) count += 1;
  return count;
}

function notUtf8(text: Buffer, firstLine: number): Error {
  let line = firstLine;
  let from = 0;
  for (;;) {
    const end = text.indexOf(LF, from);
    if (end < 0 || !isUtf8(text.subarray(from, end))) break;
    from = end + 1;
    line += 1;
  }
  return badFile(line, 'it has bytes that are not UTF-8: save the file with that encoding.');
}
