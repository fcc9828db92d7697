import { Inject, Injectable, type CanActivate } from '@nestjs/common';
import { CodedError } from '#contracts';

/** Injection symbol: is debug provisioning switched on? */
export const DEBUG_PROVISIONING = Symbol('DEBUG_PROVISIONING');

/** Whoever reaches the service can use debug provisioning: so it has to be switched on. */
@Injectable()
export class DebugProvisioningGuard implements CanActivate {
  constructor(@Inject(DEBUG_PROVISIONING) private readonly isOn: boolean) {}

  canActivate(): boolean {
    if (this.isOn) return true;
    throw new CodedError(
      'DEBUG_PROVISIONING_OFF',
      'Debug provisioning is switched off: start the service with DEBUG_PROVISIONING=on, or have the device made with POST /api/devices.',
    );
  }
}
