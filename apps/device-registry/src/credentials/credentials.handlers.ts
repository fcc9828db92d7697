import { Controller, Inject } from '@nestjs/common';
import type { DevicePrincipal, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { Credentials } from './credentials.service.ts';

/** What other services ask about credentials. */
@Controller()
export class CredentialsHandlers {
  constructor(@Inject(Credentials) private readonly credentials: Credentials) {}

  @Rpc('registry.credentials.verify')
  verify(credential: RpcRequest<'registry.credentials.verify'>): Promise<DevicePrincipal> {
    return this.credentials.verify(credential.kind === 'token' ? credential.token : credential.password);
  }
}
