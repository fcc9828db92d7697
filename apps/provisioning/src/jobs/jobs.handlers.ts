import { Controller, Inject } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { Jobs } from './jobs.service.ts';

/** What other services ask about imports. */
@Controller()
export class JobsHandlers {
  constructor(@Inject(Jobs) private readonly jobs: Jobs) {}

  @Rpc('provisioning.jobs.get')
  get({ principal, id }: RpcRequest<'provisioning.jobs.get'>): Promise<RpcReply<'provisioning.jobs.get'>> {
    return this.jobs.get(principal, id);
  }
}
