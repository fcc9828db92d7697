import { Controller, Inject } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { Pairing } from './pairing.service.ts';

/** Devices that announce themselves over the links that telemetry holds. */
@Controller()
export class PairingHandlers {
  constructor(@Inject(Pairing) private readonly pairing: Pairing) {}

  @Rpc('provisioning.claims.announce')
  announce({
    device,
    ...waiting
  }: RpcRequest<'provisioning.claims.announce'>): Promise<RpcReply<'provisioning.claims.announce'>> {
    return this.pairing.announceNamed(device, waiting);
  }
}
