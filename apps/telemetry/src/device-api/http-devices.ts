import { Inject, Injectable } from '@nestjs/common';
import { areWithinBounds, DeviceCredentials } from '#access';
import { CodedError, type DevicePrincipal } from '#contracts';
import { IngestLimits } from '../ingest/ingest-limits.ts';
import { Presence } from '../presence/presence.service.ts';

/** The devices that call `/api/v1/{accessToken}`. */
@Injectable()
export class HttpDevices {
  constructor(
    @Inject(DeviceCredentials) private readonly credentials: DeviceCredentials,
    @Inject(IngestLimits) private readonly limits: IngestLimits,
    @Inject(Presence) private readonly presence: Presence,
  ) {}

  /** The device whose token this is; it was heard of. Throws `BAD_CREDENTIALS`, `DEVICE_DISABLED`, `RATE_LIMITED`, `UNAVAILABLE`. */
  async heard(token: string, address: string): Promise<DevicePrincipal> {
    const principal = await this.verified(token);
    this.presence.heard(principal.device, { via: 'http', address });
    return principal;
  }

  /** As {@link heard}, for a device of which a link tells. */
  async verified(token: string): Promise<DevicePrincipal> {
    const presented = { kind: 'token', token } as const;
    if (!areWithinBounds(presented))
      throw new CodedError('BAD_CREDENTIALS', 'The token is too long to be one of ours.');
    const principal = await this.credentials.verify(presented);
    this.limits.take(principal);
    return principal;
  }
}
