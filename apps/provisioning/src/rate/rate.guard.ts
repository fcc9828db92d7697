import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { AddressRate } from './address-rate.ts';

/** The doors that anybody can knock at have a rate for each address. Throws `RATE_LIMITED`. */
@Injectable()
export class RateGuard implements CanActivate {
  constructor(@Inject(AddressRate) private readonly rate: AddressRate) {}

  canActivate(context: ExecutionContext): boolean {
    this.rate.require(context.switchToHttp().getRequest<Request>().ip ?? '');
    return true;
  }
}
