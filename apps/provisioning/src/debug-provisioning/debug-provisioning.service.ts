import { Inject, Injectable } from '@nestjs/common';
import { RpcClient } from '#messaging';
import type { DebugProvisioningReply } from './debug-provisioning.schemas.ts';

/** Gives any MAC address a device and its token. */
@Injectable()
export class DebugProvisioning {
  constructor(@Inject(RpcClient) private readonly rpc: RpcClient) {}

  /** Throws `UNAVAILABLE`, `UPSTREAM_TIMEOUT`. */
  async provision(macAddress: string): Promise<DebugProvisioningReply> {
    const { accessToken } = await this.rpc.call('registry.devices.provisionByMac', { macAddress });
    return { 'access-token': accessToken };
  }
}
