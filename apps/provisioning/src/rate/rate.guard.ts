import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { CodedError } from '#contracts';
import { AddressRate } from './address-rate.ts';

/** The doors that anybody can knock at have a rate for each address. Throws `RATE_LIMITED`. */
@Injectable()
export class RateGuard implements CanActivate {
  constructor(@Inject(AddressRate) private readonly rate: AddressRate) {}

  canActivate(context: ExecutionContext): boolean {
    const waitMs = this.rate.take(context.switchToHttp().getRequest<Request>().ip ?? '');
    if (waitMs === 0) return true;
    throw new CodedError(
      'RATE_LIMITED',
      `Too many provisionings from this address: try again in ${String(waitMs)} ms, or raise PROVISIONING_RATE.`,
      { retryAfterMs: waitMs },
    );
  }
}
