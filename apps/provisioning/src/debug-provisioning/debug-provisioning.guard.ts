import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { CodedError } from '#contracts';
import { AddressRate } from './address-rate.ts';

/** Injection symbol: is debug provisioning switched on? */
export const DEBUG_PROVISIONING = Symbol('DEBUG_PROVISIONING');

/** Whoever reaches the service can use debug provisioning: so it has to be switched on, and has a rate for each address. */
@Injectable()
export class DebugProvisioningGuard implements CanActivate {
  constructor(
    @Inject(DEBUG_PROVISIONING) private readonly isOn: boolean,
    @Inject(AddressRate) private readonly rate: AddressRate,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (!this.isOn) {
      throw new CodedError(
        'DEBUG_PROVISIONING_OFF',
        'Debug provisioning is switched off: start the service with DEBUG_PROVISIONING=on, or have the device made with POST /api/devices.',
      );
    }
    const waitMs = this.rate.take(context.switchToHttp().getRequest<Request>().ip ?? '');
    if (waitMs === 0) return true;
    throw new CodedError(
      'RATE_LIMITED',
      `Too many provisionings from this address: try again in ${String(waitMs)} ms, or raise PROVISIONING_RATE.`,
      { retryAfterMs: waitMs },
    );
  }
}
