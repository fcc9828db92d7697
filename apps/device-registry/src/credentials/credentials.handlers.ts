import { Controller, Inject } from '@nestjs/common';
import type { DevicePrincipal, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { CredentialVerification } from './credential-verification.ts';

/** What other services ask about credentials. */
@Controller()
export class CredentialsHandlers {
  constructor(@Inject(CredentialVerification) private readonly verification: CredentialVerification) {}

  @Rpc('registry.credentials.verify')
  verify(presented: RpcRequest<'registry.credentials.verify'>): Promise<DevicePrincipal> {
    return this.verification.verify(presented);
  }
}
