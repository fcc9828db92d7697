import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, IsNull, LessThan, Not, type FindOptionsWhere, type Repository } from 'typeorm';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { FailedAttemptsEntity } from '#sql';
import { RefreshToken } from '../sessions/refresh-token.entity.ts';
import { Session } from '../sessions/session.entity.ts';

const EVERY_MS = 10 * 60_000;
/** Rows that one step deletes, so that none holds up the others for long. */
const STEP_ROWS = 500;
/** Steps of one table in one go. */
const MAX_STEPS = 100;
/** How long ended things are kept beyond their time, in ms: replicas' clocks differ, and a late reuse is still told as such. */
const KEPT_MS = 3_600_000;

/** Deletes logins, refresh tokens and counts whose time is over, in small steps; any replica may. */
@Injectable()
export class Housekeeping implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @InjectRepository(Session, 'auth') private readonly sessions: Repository<Session>,
    @InjectRepository(RefreshToken, 'auth') private readonly refreshTokens: Repository<RefreshToken>,
    @InjectRepository(FailedAttemptsEntity, 'auth') private readonly attempts: Repository<FailedAttemptsEntity>,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.clean().catch((error: unknown) => {
        this.log.warn({ err: error }, 'what is over could not be deleted; trying again later');
      });
    }, EVERY_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  async clean(): Promise<void> {
    const over = LessThan(new Date(this.now() - KEPT_MS));
    await inSteps(() => deleteById(this.refreshTokens, { expiresAt: over }));
    await inSteps(() => deleteById(this.sessions, { endedAt: Not(IsNull()), accessUntil: over }));
    await inSteps(() => deleteById(this.sessions, { expiresAt: over }));
    await inSteps(() => this.deleteCounts({ windowEndsAt: over }));
  }

  private async deleteCounts(which: FindOptionsWhere<FailedAttemptsEntity>): Promise<number> {
    const found = await this.attempts.find({ where: which, take: STEP_ROWS });
    if (found.length > 0) await this.attempts.delete({ subject: In(found.map(({ subject }) => subject)) });
    return found.length;
  }
}

async function deleteById<E extends Session | RefreshToken>(
  rows: Repository<E>,
  which: FindOptionsWhere<E>,
): Promise<number> {
  const found = await rows.find({ where: which, take: STEP_ROWS });
  if (found.length > 0) await rows.delete(found.map(({ id }) => id));
  return found.length;
}

async function inSteps(step: () => Promise<number>): Promise<void> {
  for (let steps = 1; (await step()) === STEP_ROWS && steps < MAX_STEPS; steps += 1);
}
