import mongoose from 'mongoose';
import { CodedError } from '#contracts';

const { MongoBulkWriteError, MongoError, MongoInvalidArgumentError, MongoServerError } = mongoose.mongo;

const DUPLICATE_KEY = 11_000;
/**
 * Codes with which MongoDB refuses one document whatever its own state: BadValue, FailedToParse, TypeMismatch, InvalidBSON,
 * InvalidLength, DollarPrefixedFieldName, DottedFieldName, BSONObjectTooLarge, KeyTooLong.
 */
const DOCUMENT_REFUSED = new Set([2, 9, 14, 16, 22, 52, 57, 10_334, 17_280]);
const RETRY_AFTER_MS = 1_000;

/** Runs a bulk and gives the indexes of the operations that met a duplicate key. Any other failure is thrown. */
export async function duplicatesOf(bulk: Promise<unknown>): Promise<number[]> {
  try {
    await bulk;
    return [];
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const failures = [error.writeErrors].flat();
    const other = failures.find(({ code }) => code !== DUPLICATE_KEY);
    if (failures.length === 0 || other || error.result.getWriteConcernError()) throw error;
    return failures.map(({ index }) => index);
  }
}

/** `UNAVAILABLE` for whatever says that the database cannot be used just now; what a document brought about stays as it is. */
export function asOutage(error: unknown): unknown {
  if (!(error instanceof MongoError) || isOfDocument(error)) return error;
  return new CodedError('UNAVAILABLE', 'The reading store cannot be used just now.', {
    retryAfterMs: RETRY_AFTER_MS,
    cause: error,
  });
}

function isOfDocument(error: mongoose.mongo.MongoError): boolean {
  if (error instanceof MongoInvalidArgumentError) return true;
  if (error instanceof MongoBulkWriteError) {
    const failures = [error.writeErrors].flat().filter(({ code }) => code !== DUPLICATE_KEY);
    return failures.length > 0 && failures.every(({ code }) => DOCUMENT_REFUSED.has(code));
  }
  return error instanceof MongoServerError && DOCUMENT_REFUSED.has(Number(error.code));
}

/** Works through `items`, up to `atOnce` at the same time. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}

/** Cuts a list into pieces of at most `size`. */
export function piecesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
