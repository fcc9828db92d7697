import { createParamDecorator, Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Authenticator, credentialsOf } from '#access';
import { CodedError, type DeviceRef } from '#contracts';

/** A request, with the device that is calling once the guard has let it in. */
type DevicesRequest = Request & { device?: DeviceRef };

/** The device that is calling, behind {@link DeviceCallerGuard}. */
export const CallingDevice = createParamDecorator((_: unknown, context: ExecutionContext): DeviceRef => {
  const { device } = context.switchToHttp().getRequest<DevicesRequest>();
  if (!device) throw new CodedError('UNAUTHENTICATED', "A device's own credentials are needed.");
  return device;
});

/** Lets in devices, by whichever credentials of their own. Throws what the Authenticator throws, and `FORBIDDEN` for people. */
@Injectable()
export class DeviceCallerGuard implements CanActivate {
  constructor(@Inject(Authenticator) private readonly authenticator: Authenticator) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<DevicesRequest>();
    const { principal } = await this.authenticator.authenticate(credentialsOf(request.headers.authorization));
    if (principal.kind !== 'device') {
      throw new CodedError('FORBIDDEN', "This is for devices: send the device's own credentials, not a person's.");
    }
    request.device = principal.device;
    return true;
  }
}
