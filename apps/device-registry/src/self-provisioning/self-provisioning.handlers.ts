import { Controller, Inject } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { SelfProvisioning } from './self-provisioning.service.ts';

/** Devices that provision themselves, for provisioning. */
@Controller()
export class SelfProvisioningHandlers {
  constructor(@Inject(SelfProvisioning) private readonly devices: SelfProvisioning) {}

  @Rpc('registry.devices.selfProvision')
  provision(asked: RpcRequest<'registry.devices.selfProvision'>): Promise<RpcReply<'registry.devices.selfProvision'>> {
    return this.devices.provision(asked);
  }
}
