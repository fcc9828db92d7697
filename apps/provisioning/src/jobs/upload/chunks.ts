import type { UploadedRow } from './uploaded-row.ts';

/** Rows of one chunk at most: the registry makes them in one transaction. */
const MAX_ROWS = 1_000;
/** Bytes of one chunk at most, as it is stored and sent to the registry. */
const MAX_BYTES = 262_144;

/** Puts rows together into chunks, in their order. */
export async function* chunksOf(rows: AsyncIterable<UploadedRow[]>): AsyncGenerator<UploadedRow[]> {
  let chunk: UploadedRow[] = [];
  let bytes = 0;
  for await (const some of rows) {
    for (const row of some) {
      const size = Buffer.byteLength(JSON.stringify(row));
      if (chunk.length > 0 && (chunk.length >= MAX_ROWS || bytes + size > MAX_BYTES)) {
        yield chunk;
        [chunk, bytes] = [[], 0];
      }
      chunk.push(row);
      bytes += size;
    }
  }
  if (chunk.length > 0) yield chunk;
}
