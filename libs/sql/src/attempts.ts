import { createHash } from 'node:crypto';
import type { FactoryProvider } from '@nestjs/common';
import { getRepositoryToken } from '@nestjs/typeorm';
import { LessThan, LessThanOrEqual, MoreThan, type Repository } from 'typeorm';
import { CodedError } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { isUniqueViolation } from './errors.ts';
import { FailedAttemptsEntity } from './failed-attempts.entity.ts';

/** How long attempts are counted together, in ms. */
export const WINDOW_MS = 15 * 60_000;
/** Least that somebody is told to wait, in ms. */
const SHORTEST_WAIT_MS = 1_000;

/** What is counted, and how much of it is allowed within {@link WINDOW_MS}. */
export interface Counter {
  subject: string;
  limit: number;
}

/** A counter of `kind` (at most 16 characters) for whatever `parts` name; only their hash is stored. */
export function counterOf(kind: string, parts: string[], limit: number): Counter {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
  return { subject: `${kind}:${hash}`, limit };
}

/**
 * Attempts counted in the database of a service, one count for all replicas. Every window ends by itself: nobody is locked out for good. Its
 * schema has {@link FailedAttemptsEntity}.
 */
export class Attempts {
  /** @param comfort What else is said to whoever has to wait. */
  constructor(
    private readonly rows: Repository<FailedAttemptsEntity>,
    private readonly now: Clock,
    private readonly comfort: string,
  ) {}

  /** Counts an attempt before it is made, so that many at once cannot slip through. Throws `TOO_MANY_ATTEMPTS`. */
  async take(counter: Counter): Promise<void> {
    if (await this.countInWindow(counter)) return;
    if (await this.beginWindow(counter)) return;
    if (await this.countInWindow(counter)) return;
    throw await this.tooManyOf(counter);
  }

  /** Throws `TOO_MANY_ATTEMPTS` if another attempt would be refused. */
  async refuseIfUsedUp({ subject, limit }: Counter): Promise<void> {
    const row = await this.rows.findOneBy({ subject, windowEndsAt: MoreThan(new Date(this.now())) });
    if (row && row.attempts >= limit) throw this.tooMany(row);
  }

  /** Takes back one attempt that turned out to be none. */
  async giveBack({ subject }: Counter): Promise<void> {
    await this.rows.decrement({ subject, attempts: MoreThan(0) }, 'attempts', 1);
  }

  /** Begins to count afresh. */
  async reset({ subject }: Counter): Promise<void> {
    await this.rows.delete({ subject });
  }

  /** Deletes the counts whose time is over. */
  async sweep(): Promise<void> {
    await this.rows.delete({ windowEndsAt: LessThanOrEqual(new Date(this.now())) });
  }

  private async countInWindow({ subject, limit }: Counter): Promise<boolean> {
    const inWindow = { subject, windowEndsAt: MoreThan(new Date(this.now())), attempts: LessThan(limit) };
    const { affected } = await this.rows.increment(inWindow, 'attempts', 1);
    return affected === 1;
  }

  private async beginWindow({ subject }: Counter): Promise<boolean> {
    const now = this.now();
    const fresh = { attempts: 1, windowEndsAt: new Date(now + WINDOW_MS) };
    const { affected } = await this.rows.update({ subject, windowEndsAt: LessThanOrEqual(new Date(now)) }, fresh);
    if (affected === 1) return true;
    try {
      await this.rows.insert({ subject, ...fresh });
      return true;
    } catch (error) {
      if (isUniqueViolation(error)) return false;
      throw error;
    }
  }

  private async tooManyOf({ subject }: Counter): Promise<CodedError> {
    return this.tooMany(await this.rows.findOneBy({ subject }));
  }

  private tooMany(row: FailedAttemptsEntity | null): CodedError {
    const retryAfterMs = Math.max(SHORTEST_WAIT_MS, (row?.windowEndsAt.getTime() ?? 0) - this.now());
    const minutes = Math.ceil(retryAfterMs / 60_000);
    const message = `Too many attempts: wait ${String(minutes)} min and try again. ${this.comfort}`;
    return new CodedError('TOO_MANY_ATTEMPTS', message.trim(), { retryAfterMs });
  }
}

/** The {@link Attempts} of the service whose database that is. */
export const attemptsIn = (dataSource: string, comfort = ''): FactoryProvider<Attempts> => ({
  provide: Attempts,
  inject: [getRepositoryToken(FailedAttemptsEntity, dataSource), CLOCK],
  useFactory: (rows: Repository<FailedAttemptsEntity>, now: Clock) => new Attempts(rows, now, comfort),
});
