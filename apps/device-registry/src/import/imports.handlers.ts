import { Controller, Inject } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { Imports } from './imports.service.ts';

/** What provisioning asks of the registry for imports. */
@Controller()
export class ImportsHandlers {
  constructor(@Inject(Imports) private readonly imports: Imports) {}

  @Rpc('registry.devices.import')
  import(request: RpcRequest<'registry.devices.import'>): Promise<RpcReply<'registry.devices.import'>> {
    return this.imports.import(request);
  }
}
