import { CodedError } from '#contracts';

/** A part of a file, in bytes. */
export interface ByteRange {
  offset: number;
  length: number;
}

/**
 * The part of a file that a `Range` header asks for (RFC 9110 section 14.2); undefined for all of it: without the header, with one that is
 * none of ours, one that names several parts, or one that is for another version of the file (`If-Range`, section 13.1.5). Throws
 * `RANGE_NOT_SATISFIABLE` for one that begins behind the end.
 */
export function rangeOf(
  header: string | undefined,
  size: number,
  ifRange?: string,
  entityTag?: string,
): ByteRange | undefined {
  if (header === undefined || (ifRange !== undefined && ifRange !== entityTag)) return undefined;
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header) ?? [];
  if (first === '' && last === '') return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const offset = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (offset < end) return { offset, length: end - offset };
  throw new CodedError(
    'RANGE_NOT_SATISFIABLE',
    `The file has ${String(size)} bytes: none of them is in ${header.slice(0, 64)}.`,
  );
}

/** Does an `If-None-Match` header (RFC 9110 section 13.1.2) name this version of a file? */
export const isCached = (ifNoneMatch: string | undefined, entityTag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === entityTag);
