import { Controller, Inject } from '@nestjs/common';
import type { DeviceRef, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { Claims } from './claims.service.ts';

/** What other services ask about who owns a device. */
@Controller()
export class ClaimsHandlers {
  constructor(@Inject(Claims) private readonly claims: Claims) {}

  @Rpc('registry.devices.claim')
  claim({ deviceId, user }: RpcRequest<'registry.devices.claim'>): Promise<DeviceRef> {
    return this.claims.claim(user, deviceId);
  }
}
