import { QueryFailedError } from 'typeorm';

const codeOf = (error: unknown): string =>
  error instanceof QueryFailedError ? String((error.driverError as { code?: unknown }).code) : '';

/** Did a unique constraint refuse it? With a name: that one (MySQL names the index, SQLite the columns). */
export function isUniqueViolation(error: unknown, ...names: string[]): boolean {
  const code = codeOf(error);
  const unique =
    code === 'ER_DUP_ENTRY' || code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY';
  return unique && (names.length === 0 || names.some((name) => (error as Error).message.includes(name)));
}

/** Is something else still pointing at what was to be deleted, or is what was pointed at not there? */
export function isForeignKeyViolation(error: unknown): boolean {
  return [
    'ER_ROW_IS_REFERENCED_2',
    'ER_NO_REFERENCED_ROW_2',
    'SQLITE_CONSTRAINT_FOREIGNKEY',
    'SQLITE_CONSTRAINT_TRIGGER',
  ].includes(codeOf(error));
}

/** Did the database give up for the sake of somebody else's transaction? Trying again mends it. */
export const isLockConflict = (error: unknown): boolean =>
  ['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'SQLITE_BUSY'].includes(codeOf(error));
