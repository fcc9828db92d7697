import { Controller, Inject } from '@nestjs/common';
import { MacAddress, type DeviceRef, type RpcReply, type RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { DeviceAccess } from './device-access.ts';
import { DevicesOnDemand } from './devices-on-demand.ts';
import { FirstHeard } from './first-heard.ts';

/** What other services ask about devices. */
@Controller()
export class DevicesHandlers {
  constructor(
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(DevicesOnDemand) private readonly onDemand: DevicesOnDemand,
    @Inject(FirstHeard) private readonly firstHeard: FirstHeard,
  ) {}

  @Rpc('registry.devices.authorize')
  authorize({ principal, device, action }: RpcRequest<'registry.devices.authorize'>): Promise<DeviceRef> {
    return this.access.authorize(principal, device, action);
  }

  @Rpc('registry.devices.defaultGateway')
  defaultGateway({ userId, customerId }: RpcRequest<'registry.devices.defaultGateway'>): Promise<DeviceRef> {
    return this.onDemand.defaultGateway(userId, customerId);
  }

  @Rpc('registry.devices.provisionByMac')
  provisionByMac({
    macAddress,
  }: RpcRequest<'registry.devices.provisionByMac'>): Promise<RpcReply<'registry.devices.provisionByMac'>> {
    return this.onDemand.provisionByMac(MacAddress.parse(macAddress));
  }

  @Rpc('registry.devices.heard')
  async heard({ deviceId }: RpcRequest<'registry.devices.heard'>): Promise<RpcReply<'registry.devices.heard'>> {
    await this.firstHeard.heard(deviceId);
    return {};
  }
}
