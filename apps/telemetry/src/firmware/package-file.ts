import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import type { Request, Response } from 'express';
import { CodedError } from '#contracts';
import { isCached, rangeOf } from './byte-range.ts';

/** A file, as it is answered. */
export interface PackageFile {
  title: string;
  version: string;
  fileName: string;
  size: number;
  /** SHA-256, lower-case hexadecimal. */
  checksum: string;
  stream(offset: number, length: number): AsyncIterable<Buffer>;
}

const CONDITIONS = ['range', 'if-range', 'if-none-match'] as const;

/**
 * Answers with a file, or the part of it that is asked for (RFC 9110 sections 13 and 14); undefined if the client has it or asked for the
 * headers alone. Throws `RANGE_NOT_SATISFIABLE`.
 */
export function answerFile(request: Request, response: Response, file: PackageFile): StreamableFile | undefined {
  const { size, checksum, fileName } = file;
  const entityTag = `"${checksum}"`;
  const [range, ifRange, ifNoneMatch] = CONDITIONS.map((name) => request.header(name));
  response.set({
    ETag: entityTag,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'private, no-cache',
    'X-Firmware-Title': encodeURIComponent(file.title),
    'X-Firmware-Version': encodeURIComponent(file.version),
  });
  if (isCached(ifNoneMatch, entityTag)) {
    response.status(304);
    return undefined;
  }
  const part = askedFor(response, () => rangeOf(range, size, ifRange, entityTag), size);
  const { offset, length } = part ?? { offset: 0, length: size };
  if (part) {
    response.status(206);
    response.setHeader('Content-Range', `bytes ${String(offset)}-${String(offset + length - 1)}/${String(size)}`);
  }
  const bytes = request.method === 'HEAD' ? [] : file.stream(offset, length);
  return new StreamableFile(Readable.from(bytes, { objectMode: false }), {
    type: 'application/octet-stream',
    disposition: `attachment; filename="${fileName}"`,
    length,
  });
}

function askedFor<T>(response: Response, range: () => T, size: number): T {
  try {
    return range();
  } catch (error) {
    if (error instanceof CodedError) response.setHeader('Content-Range', `bytes */${String(size)}`);
    throw error;
  }
}
