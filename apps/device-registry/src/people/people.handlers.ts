import { Controller, Inject } from '@nestjs/common';
import type { DeviceRef, RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { People } from './people.service.ts';

/** What other services say of people. */
@Controller()
export class PeopleHandlers {
  constructor(@Inject(People) private readonly people: People) {}

  @Rpc('registry.devices.release')
  release({ name, user }: RpcRequest<'registry.devices.release'>): Promise<DeviceRef> {
    return this.people.releaseNamed(user, name);
  }

  @Rpc('registry.people.forget')
  async forget({ userId }: RpcRequest<'registry.people.forget'>): Promise<RpcReply<'registry.people.forget'>> {
    await this.people.forget(userId);
    return {};
  }
}
