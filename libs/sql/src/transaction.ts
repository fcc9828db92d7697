import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, EntityManager } from 'typeorm';
import { isLockConflict } from './errors.ts';

/** How often a transaction is tried before its lock conflict is the caller's. */
const ATTEMPTS = 20;
/** Longest pause before another try, in ms. */
const LONGEST_PAUSE_MS = 100;

/**
 * Runs `work` in a transaction, and again from its beginning when the database gave it up for the sake of another one (a
 * deadlock, or a lock that was not free in time): `work` may do nothing but use its manager.
 */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
  attempts = ATTEMPTS,
): Promise<T> {
  try {
    return await dataSource.transaction(work);
  } catch (error) {
    if (!isLockConflict(error) || attempts <= 1) throw error;
  }
  await sleep(Math.random() * LONGEST_PAUSE_MS);
  return inTransaction(dataSource, work, attempts - 1);
}
