import { CodedError, LIMITS, type Rejection } from '#contracts';
import { parseReading, type ParsedReading, type TimeWindow } from './parse-reading.ts';

/** A batch, reading by reading. */
export interface ParsedBatch {
  readings: ParsedReading[];
  rejected: Rejection[];
}

/** Reads a payload: one reading or an array. Throws `BATCH_EMPTY` or `BATCH_TOO_LARGE`; a bad reading is refused by its index. */
export function parseBatch(payload: unknown, window: TimeWindow): ParsedBatch {
  const inputs: unknown[] = Array.isArray(payload) ? payload : [payload];
  if (inputs.length === 0) throw new CodedError('BATCH_EMPTY', 'The batch has no readings.');
  if (inputs.length > LIMITS.batchReadings) {
    throw new CodedError(
      'BATCH_TOO_LARGE',
      `The batch has ${String(inputs.length)} readings; send at most ${String(LIMITS.batchReadings)} at a time.`,
    );
  }
  return withoutStacks(() => parseAll(inputs, window));
}

function parseAll(inputs: readonly unknown[], window: TimeWindow): ParsedBatch {
  const batch: ParsedBatch = { readings: [], rejected: [] };
  let index = 0;
  for (const input of inputs) {
    const parsed = parseReading(input, index, window);
    if ('code' in parsed) batch.rejected.push({ index, code: parsed.code, message: parsed.message });
    else batch.readings.push(parsed);
    index += 1;
  }
  return batch;
}

/** Nobody reads the stack of a fault, and it costs four times what the rest does: too much for a sender of nothing else. */
function withoutStacks<T>(parse: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parse();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The id of a batch as its sender gave it. Throws `BAD_BATCH_ID`. */
export function parseBatchId(given: unknown): string | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given === 'string' && /^[\x21-\x7e]{1,64}$/.test(given)) return given;
  throw new CodedError(
    'BAD_BATCH_ID',
    `batchId must be 1 to ${String(LIMITS.batchIdChars)} printable ASCII characters without spaces.`,
  );
}
