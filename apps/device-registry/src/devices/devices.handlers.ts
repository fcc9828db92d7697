import { Controller, Inject } from '@nestjs/common';
import { z } from 'zod';
import { MacAddress, type DeviceRef, type RpcReply, type RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { text } from '#platform';
import { DeviceAccess } from './device-access.ts';
import { DevicesOnDemand } from './devices-on-demand.ts';
import { DevicesOfProfile } from './devices-of-profile.ts';
import { FirstHeard } from './first-heard.ts';

/** What a gateway says of a device behind it. */
const Child = z.object({ name: text(128), profile: text(128).optional() });

/** What other services ask about devices. */
@Controller()
export class DevicesHandlers {
  constructor(
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(DevicesOnDemand) private readonly onDemand: DevicesOnDemand,
    @Inject(DevicesOfProfile) private readonly ofProfiles: DevicesOfProfile,
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

  @Rpc('registry.devices.child')
  child({ gatewayId, ...said }: RpcRequest<'registry.devices.child'>): Promise<DeviceRef> {
    const { name, profile } = Child.parse(said);
    return this.onDemand.child(gatewayId, name, profile);
  }

  @Rpc('registry.devices.ofProfile')
  async ofProfile(page: RpcRequest<'registry.devices.ofProfile'>): Promise<RpcReply<'registry.devices.ofProfile'>> {
    return { devices: await this.ofProfiles.page(page) };
  }

  @Rpc('registry.devices.heard')
  async heard({ deviceId }: RpcRequest<'registry.devices.heard'>): Promise<RpcReply<'registry.devices.heard'>> {
    await this.firstHeard.heard(deviceId);
    return {};
  }
}
