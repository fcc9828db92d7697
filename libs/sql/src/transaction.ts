import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, EntityManager, FindOneOptions } from 'typeorm';
import { isLockConflict } from './errors.ts';

/** How often a transaction is tried that the database gives up for the sake of another one. */
const ATTEMPTS = 12;
/** Longest pause before the second try, in ms; each later one may be as much longer. By chance, so that two do not meet again. */
const PAUSE_MS = 10;

const isMysql = (dataSource: DataSource): boolean => dataSource.options.type === 'mysql';

/**
 * Runs `work` in one transaction, with only its manager, and again if the database gave it up for another one: so `work` does
 * nothing that must not happen twice. Every statement sees what was committed before it (`READ COMMITTED`; SQLite runs one
 * transaction at a time).
 */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
  attempts: number = ATTEMPTS,
): Promise<T> {
  try {
    return await (isMysql(dataSource)
      ? dataSource.transaction('READ COMMITTED', work)
      : dataSource.transaction((manager) => work(manager)));
  } catch (error) {
    if (attempts <= 1 || !isLockConflict(error)) throw error;
    await sleep(Math.random() * PAUSE_MS * (ATTEMPTS - attempts + 1));
    return inTransaction(dataSource, work, attempts - 1);
  }
}

/** As `lock` of a find within a transaction: nobody else changes these rows before its end. */
export const rowLock = (manager: EntityManager): FindOneOptions['lock'] =>
  isMysql(manager.connection) ? { mode: 'pessimistic_write' } : undefined;

/** As `lock` of a find within a transaction: nobody changes these rows before its end, though others may hold them the same way. */
export const sharedLock = (manager: EntityManager): FindOneOptions['lock'] =>
  isMysql(manager.connection) ? { mode: 'pessimistic_read' } : undefined;
