import { createHash } from 'node:crypto';

/** Gives the ids of the devices that the lines of an import make. */
export type IdOfLine = (line: number) => string;

/**
 * The id of the device that a line of an import makes: the same one whenever the line is done again, so that it counts as it did.
 * A UUID in the form of version 7 (RFC 9562 section 5.7): the import's time, then the line (32 bits), then 40 bits of the import's
 * id hashed, so that the devices of one import are next to each other in the order of its lines.
 */
export function importedIds(jobId: string): IdOfLine {
  const time = jobId.slice(0, 13);
  const hash = createHash('sha256').update(jobId).digest('hex').slice(0, 10);
  return (line) => {
    const hexLine = (line >>> 0).toString(16).padStart(8, '0');
    return `${time}-7${hexLine.slice(0, 3)}-8${hexLine.slice(3, 6)}-${hexLine.slice(6)}${hash}`;
  };
}
