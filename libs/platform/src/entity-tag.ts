import type { Response } from 'express';
import { CodedError } from '#contracts';

/** The strong entity tag (RFC 9110 section 8.8.3) of a version. */
export const entityTag = (version: number): string => `"${String(version)}"`;

/** Sets the entity tag of what is answered. */
export function tagged<T extends { version: number }>(response: Pick<Response, 'setHeader'>, answer: T): T {
  response.setHeader('ETag', entityTag(answer.version));
  return answer;
}

/** Throws `VERSION_MISMATCH` if an `If-Match` header (RFC 9110 section 13.1.1) does not name this version. */
export function requireMatch(ifMatch: string | undefined, version: number): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return;
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  if (tags.includes(entityTag(version))) return;
  throw new CodedError(
    'VERSION_MISMATCH',
    `It has version ${String(version)} by now, and If-Match names ${ifMatch.slice(0, 64)}: read it again and decide anew.`,
  );
}
