import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type ErrorCode, type UserPrincipal } from '#contracts';
import { RpcClient } from '#messaging';
import { deviceView } from '../device-view.ts';
import { Claims } from './claims.service.ts';
import { deviceClaimKey } from './device-claim-key.ts';
import type { NamedClaimRefusal, NamedClaimReply } from './named-claim.schemas.ts';

const REFUSALS: Partial<Record<ErrorCode, NamedClaimRefusal>> = {
  PAIR_KEY_UNKNOWN: 'FAILURE',
  PAIR_KEY_EXPIRED: 'FAILURE',
  ALREADY_CLAIMED: 'CLAIMED',
  OWN_DEVICE: 'CLAIMED',
};

/** People claim devices by their names and the secrets that these announced, and give them up by their names. */
@Injectable()
export class NamedClaims {
  constructor(
    @Inject(Claims) private readonly claims: Claims,
    @Inject(RpcClient) private readonly rpc: RpcClient,
  ) {}

  /** Throws `TOO_MANY_ATTEMPTS`, `UNAVAILABLE`. */
  async claim(
    user: UserPrincipal,
    address: string,
    name: string,
    secretKey: string | null | undefined,
  ): Promise<NamedClaimReply | NamedClaimRefusal> {
    try {
      const device = await this.claims.claim(user, address, { pairKey: deviceClaimKey(name, secretKey ?? '') });
      return { device: deviceView(device), response: 'SUCCESS' };
    } catch (error) {
      const refusal = error instanceof CodedError ? REFUSALS[error.code] : undefined;
      if (refusal === undefined) throw error;
      return refusal;
    }
  }

  /** Throws `NOT_FOUND`, `CONFLICT` if they own several of that name. */
  async release(user: UserPrincipal, name: string): Promise<void> {
    await this.rpc.call('registry.devices.release', { name, user });
  }
}
