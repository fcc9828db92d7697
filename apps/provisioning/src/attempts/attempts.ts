import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, LessThanOrEqual, MoreThan, type Repository } from 'typeorm';
import { CodedError } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { isUniqueViolation } from '#sql';
import { PROVISIONING } from '../data-source-name.ts';
import { FailedAttemptsEntity } from './failed-attempts.entity.ts';

/** How long attempts are counted together, in ms. */
const WINDOW_MS = 15 * 60_000;

/** What is counted, and how much of it is allowed within {@link WINDOW_MS}. */
export interface Counter {
  subject: string;
  limit: number;
}

/** A counter of `kind` for somebody; only a hash of who it is, is stored. */
export function counterOf(kind: 'user' | 'address', who: string, limit: number): Counter {
  return { subject: `${kind}:${createHash('sha256').update(who).digest('base64url')}`, limit };
}

/** Failed attempts, counted in the database: one count for all replicas. Every window ends by itself. */
@Injectable()
export class Attempts {
  constructor(
    @InjectRepository(FailedAttemptsEntity, PROVISIONING) private readonly rows: Repository<FailedAttemptsEntity>,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Counts an attempt before it is made, so that many at once cannot slip through. Throws `TOO_MANY_ATTEMPTS`. */
  async take(counter: Counter): Promise<void> {
    if (await this.countInWindow(counter)) return;
    if (await this.beginWindow(counter)) return;
    if (await this.countInWindow(counter)) return;
    throw await this.tooMany(counter);
  }

  /** Takes back one attempt that did not fail. */
  async giveBack({ subject }: Counter): Promise<void> {
    await this.rows.decrement({ subject, attempts: MoreThan(0) }, 'attempts', 1);
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

  private async tooMany({ subject }: Counter): Promise<CodedError> {
    const row = await this.rows.findOneBy({ subject });
    const retryAfterMs = Math.max(1_000, (row?.windowEndsAt.getTime() ?? 0) - this.now());
    const minutes = Math.ceil(retryAfterMs / 60_000);
    return new CodedError('TOO_MANY_ATTEMPTS', `Too many attempts: wait ${String(minutes)} min and try again.`, {
      retryAfterMs,
    });
  }
}
