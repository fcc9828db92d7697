import { createParamDecorator, Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Authenticator, bearerToken, credentialsOf } from '#access';
import { CodedError, type UserPrincipal } from '#contracts';
import type { ProvisioningKeyEntity } from '../provisioning-keys/provisioning-key.entity.ts';
import { ProvisioningKeys } from '../provisioning-keys/provisioning-keys.service.ts';
import { isProvisioningKey } from '../provisioning-keys/secret.ts';

/** On whose behalf a device provisions itself: somebody who may make devices, or a key that they made. */
export type Provisioner =
  { kind: 'person'; person: UserPrincipal } | { kind: 'key'; key: Pick<ProvisioningKeyEntity, 'id' | 'customerId'> };

/** A request, with its provisioner once the guard has let it in. */
type ProvisionersRequest = Request & { provisioner?: Provisioner };

/** Who is calling, behind {@link ProvisionerGuard}. */
export const CallingProvisioner = createParamDecorator((_: unknown, context: ExecutionContext): Provisioner => {
  const { provisioner } = context.switchToHttp().getRequest<ProvisionersRequest>();
  if (!provisioner) throw new CodedError('UNAUTHENTICATED', 'A token or a provisioning key is needed.');
  return provisioner;
});

/**
 * Lets in administrators, operators and provisioning keys. Throws what the Authenticator and the keys throw, and `FORBIDDEN` for users
 * and devices.
 */
@Injectable()
export class ProvisionerGuard implements CanActivate {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(ProvisioningKeys) private readonly keys: ProvisioningKeys,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<ProvisionersRequest>();
    request.provisioner = await this.provisionerOf(request.headers.authorization);
    return true;
  }

  private async provisionerOf(header: string | undefined): Promise<Provisioner> {
    const token = bearerToken(header);
    if (token !== undefined && isProvisioningKey(token)) return { kind: 'key', key: await this.keys.verify(token) };
    const { principal } = await this.authenticator.authenticate(credentialsOf(header));
    if (principal.kind === 'user' && principal.role !== 'user') return { kind: 'person', person: principal };
    throw new CodedError(
      'FORBIDDEN',
      'Devices are provisioned by an administrator, an operator or a provisioning key: have one of them made (POST /api/provisioning/keys).',
    );
  }
}
