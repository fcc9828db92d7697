import { Controller, Get, Inject, Injectable, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { Public } from './public.decorator.ts';

/** What one dependency says of itself; `backlog` and the like are added as further fields. */
export type CheckResult = { status: 'up' | 'down' | 'degraded'; detail?: string } & Record<string, unknown>;

interface Check {
  run: () => Promise<CheckResult> | CheckResult;
  /** Without it the service can do nothing at all: not ready, rather than degraded. */
  critical: boolean;
}

export interface HealthReport {
  status: 'ok' | 'degraded' | 'unavailable';
  checks: Record<string, CheckResult>;
}

/** Longest time one check may take before it counts as down, in ms. */
const CHECK_TIMEOUT_MS = 2_000;

/** Every dependency of this process, by name. */
@Injectable()
export class Health {
  private readonly checks = new Map<string, Check>();
  private stopping = false;

  add(name: string, check: Check): void {
    this.checks.set(name, check);
  }

  /** From here on the service says that it is not ready, so that nothing new is sent to it. */
  stop(): void {
    this.stopping = true;
  }

  async report(): Promise<HealthReport> {
    const entries = await Promise.all(
      [...this.checks].map(async ([name, check]) => ({ name, check, result: await runCheck(check) })),
    );
    const bad = entries.filter(({ result }) => result.status !== 'up');
    const unavailable = this.stopping || bad.some(({ check, result }) => check.critical && result.status === 'down');
    return {
      status: unavailable ? 'unavailable' : bad.length > 0 ? 'degraded' : 'ok',
      checks: Object.fromEntries(entries.map(({ name, result }) => [name, result])),
    };
  }
}

async function runCheck(check: Check): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CheckResult>((resolve) => {
    timer = setTimeout(() => {
      resolve({ status: 'down', detail: `no answer within ${String(CHECK_TIMEOUT_MS)} ms` });
    }, CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([check.run(), late]);
  } catch (error) {
    return { status: 'down', detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

@ApiExcludeController()
@Public()
@Controller('health')
export class HealthController {
  constructor(@Inject(Health) private readonly health: Health) {}

  @Get('live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  async ready(@Res({ passthrough: true }) response: Response): Promise<HealthReport> {
    const report = await this.health.report();
    if (report.status === 'unavailable') response.status(503);
    return report;
  }
}
