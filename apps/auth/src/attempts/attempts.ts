import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, LessThanOrEqual, MoreThan, type Repository } from 'typeorm';
import { CodedError } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { isUniqueViolation } from '#sql';
import { FailedAttempts } from './failed-attempts.entity.ts';

/** How long attempts are counted together, in ms. */
export const WINDOW_MS = 15 * 60_000;

/** What is counted, and how much of it is allowed within {@link WINDOW_MS}. */
export interface Counter {
  subject: string;
  limit: number;
}

/** A counter of `kind` for whatever `parts` name; only their hash is stored. */
export function counterOf(kind: 'account' | 'known' | 'address' | 'sign-up', parts: string[], limit: number): Counter {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
  return { subject: `${kind}:${hash}`, limit };
}

/** Attempts counted in the database, one count for all replicas. Every window ends by itself: nobody is locked out for good. */
@Injectable()
export class Attempts {
  constructor(
    @InjectRepository(FailedAttempts, 'auth') private readonly rows: Repository<FailedAttempts>,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Counts an attempt before it is made, so that many at once cannot slip through. Throws `TOO_MANY_ATTEMPTS`. */
  async take(counter: Counter): Promise<void> {
    if (await this.countInWindow(counter)) return;
    if (await this.beginWindow(counter)) return;
    if (await this.countInWindow(counter)) return;
    await this.refuseIfUsedUp(counter);
  }

  /** Throws `TOO_MANY_ATTEMPTS` if another attempt would be refused. */
  async refuseIfUsedUp({ subject, limit }: Counter): Promise<void> {
    const row = await this.rows.findOneBy({ subject, windowEndsAt: MoreThan(new Date(this.now())) });
    if (row && row.attempts >= limit) throw tooMany(row.windowEndsAt.getTime() - this.now());
  }

  /** Takes back one attempt that turned out to be none. */
  async giveBack({ subject }: Counter): Promise<void> {
    await this.rows.decrement({ subject, attempts: MoreThan(0) }, 'attempts', 1);
  }

  /** Begins to count afresh. */
  async reset({ subject }: Counter): Promise<void> {
    await this.rows.delete({ subject });
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
}

function tooMany(retryAfterMs: number): CodedError {
  const minutes = Math.ceil(retryAfterMs / 60_000);
  return new CodedError(
    'TOO_MANY_ATTEMPTS',
    `Too many attempts: wait ${String(minutes)} min and try again. Logins that are open go on working.`,
    { retryAfterMs },
  );
}
