import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type DeviceRef } from '#contracts';
import { RpcClient } from '#messaging';
import { Presence } from '../presence/presence.service.ts';
import type { ClaimAnnouncement } from './claim-payload.ts';

/** Devices that say that whoever knows a secret may claim them. */
@Injectable()
export class ClaimAnnouncements {
  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(Presence) private readonly presence: Presence,
  ) {}

  /**
   * A device that cannot be claimed is not told so, as its protocol has it; its connection record says why. Throws only what does not
   * depend on the device, such as `UNAVAILABLE`.
   */
  async announce(device: DeviceRef, claim: ClaimAnnouncement, topic: string): Promise<void> {
    try {
      await this.rpc.call('provisioning.claims.announce', { device, ...claim });
    } catch (thrown) {
      if (!(thrown instanceof CodedError) || thrown.status >= 500) throw thrown;
      this.presence.note(device.id, { kind: 'refused', reason: thrown.message, topic });
    }
  }
}
