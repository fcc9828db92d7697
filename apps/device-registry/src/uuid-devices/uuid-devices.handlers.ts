import { Controller, Inject } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { UuidDevices } from './uuid-devices.service.ts';

/** Devices by their uuid, for provisioning. */
@Controller()
export class UuidDevicesHandlers {
  constructor(@Inject(UuidDevices) private readonly devices: UuidDevices) {}

  @Rpc('registry.devices.requestByUuid')
  request({
    uuid,
    masterUuid,
    ...request
  }: RpcRequest<'registry.devices.requestByUuid'>): Promise<RpcReply<'registry.devices.requestByUuid'>> {
    return this.devices.request({ ...request, uuid: uuid.toLowerCase(), masterUuid: masterUuid?.toLowerCase() });
  }
}
