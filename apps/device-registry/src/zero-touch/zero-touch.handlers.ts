import { Controller, Inject } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { AskedDevice } from './asked-device.ts';
import { ZeroTouch } from './zero-touch.service.ts';

/** What other services ask for devices that provision themselves. */
@Controller()
export class ZeroTouchHandlers {
  constructor(@Inject(ZeroTouch) private readonly zeroTouch: ZeroTouch) {}

  @Rpc('registry.devices.zeroTouch')
  provision(request: RpcRequest<'registry.devices.zeroTouch'>): Promise<RpcReply<'registry.devices.zeroTouch'>> {
    return this.zeroTouch.provision(AskedDevice.parse(request));
  }
}
