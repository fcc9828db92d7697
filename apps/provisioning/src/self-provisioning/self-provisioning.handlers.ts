import { Controller, Inject } from '@nestjs/common';
import type { RpcRequest, SelfProvisioningReply } from '#contracts';
import { Rpc } from '#messaging';
import { SelfProvisioning } from './self-provisioning.service.ts';

/** Devices that provision themselves over the links that telemetry holds. */
@Controller()
export class SelfProvisioningHandlers {
  constructor(@Inject(SelfProvisioning) private readonly devices: SelfProvisioning) {}

  @Rpc('provisioning.selfProvision')
  provision(request: RpcRequest<'provisioning.selfProvision'>): Promise<SelfProvisioningReply> {
    return this.devices.provision(request);
  }
}
