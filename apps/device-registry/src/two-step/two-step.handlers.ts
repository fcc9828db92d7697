import { Controller, Inject } from '@nestjs/common';
import { MacAddress, type RpcReply, type RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { TwoStep } from './two-step.service.ts';

/** The two steps, for provisioning. */
@Controller()
export class TwoStepHandlers {
  constructor(@Inject(TwoStep) private readonly twoStep: TwoStep) {}

  @Rpc('registry.twoStep.register')
  register(request: RpcRequest<'registry.twoStep.register'>): Promise<RpcReply<'registry.twoStep.register'>> {
    return this.twoStep.register({ ...request, macAddress: MacAddress.parse(request.macAddress) });
  }

  @Rpc('registry.twoStep.activate')
  activate(request: RpcRequest<'registry.twoStep.activate'>): Promise<RpcReply<'registry.twoStep.activate'>> {
    return this.twoStep.activate({ ...request, macAddress: MacAddress.parse(request.macAddress) });
  }
}
