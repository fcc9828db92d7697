import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CodedError, type DevicePrincipal, type ErrorCode } from '#contracts';
import { BUS, Events, RpcClient, type Bus, type Unsubscribe } from '#messaging';
import { upTo } from '#platform';
import { CacheByDevice } from './cache-by-device.ts';
import type { PresentedCredentials } from './presented-credentials.ts';

/** How long a verified credential is believed without asking again, in ms. */
const BELIEVED_MS = 60_000;
/** How long a refused one is, in ms: guessing must not reach the registry at full rate, a new device must not wait long. */
const REFUSED_MS = 2_000;
const MAX_ENTRIES = 50_000;
/** Refusals that asking again at once does not change. */
const REFUSALS = new Set<ErrorCode>(['BAD_CREDENTIALS', 'TOKEN_EXPIRED', 'DEVICE_DISABLED', 'NOT_REGISTERED']);

/** Which credential may no longer be used: one, or all of a device. */
export interface RevokedCredential {
  deviceId: string;
  credentialId: string | null;
}

/** Devices' credentials, verified by the registry and believed for a minute; revoked ones are dropped at once. */
@Injectable()
export class DeviceCredentials implements OnApplicationShutdown {
  private readonly verified = new CacheByDevice<DevicePrincipal>(
    { max: MAX_ENTRIES, ttl: BELIEVED_MS },
    ({ device }) => device.id,
  );
  private readonly refused = new LRUCache<string, CodedError>({ ...upTo(MAX_ENTRIES), ttl: REFUSED_MS });
  private readonly listeners = new Set<(revoked: RevokedCredential) => void>();
  private readonly subscriptions: Unsubscribe[];
  /** Grows whenever refusals are forgotten: one that was on its way meanwhile is not kept. */
  private revision = 0;

  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(Events) events: Events,
    @Inject(BUS) bus: Bus,
  ) {
    this.subscriptions = [
      events.on('registry.credentials.revoked', (revoked) => {
        this.forget(revoked);
      }),
      events.on('registry.device.changed', ({ change, device }) => {
        if (change === 'created') return;
        this.verified.forget(device.id);
        this.forgetRefusals();
      }),
    ];
    bus.onReconnect(() => {
      this.verified.forgetAll();
      this.forgetRefusals();
    });
  }

  onApplicationShutdown(): void {
    for (const unsubscribe of this.subscriptions) unsubscribe();
  }

  /**
   * Whose credentials are these? Throws `BAD_CREDENTIALS`, `TOKEN_EXPIRED`, `DEVICE_DISABLED`, `NOT_REGISTERED` for a token whose device
   * is gone, or `UNAVAILABLE` while the registry is away and they are not known yet.
   */
  async verify(presented: PresentedCredentials): Promise<DevicePrincipal> {
    const key = keyOf(presented);
    const refusal = this.refused.get(key);
    if (refusal) throw refusal;
    const asked = this.revision;
    try {
      const principal = await this.verified.get(key, () => this.rpc.call('registry.credentials.verify', presented));
      return current(principal, Date.now());
    } catch (error) {
      const isRefusal = error instanceof CodedError && REFUSALS.has(error.code);
      if (isRefusal && asked === this.revision) this.refused.set(key, error);
      throw error;
    }
  }

  /** Calls back when a credential was revoked, so that its connections can be ended. */
  onRevoked(end: (revoked: RevokedCredential) => void): Unsubscribe {
    this.listeners.add(end);
    return () => this.listeners.delete(end);
  }

  private forget(revoked: RevokedCredential): void {
    const { deviceId, credentialId } = revoked;
    this.verified.forget(deviceId, (principal) => credentialId === null || principal.credentialId === credentialId);
    for (const end of this.listeners) end(revoked);
  }

  private forgetRefusals(): void {
    this.revision += 1;
    this.refused.clear();
  }
}

/** The secrets themselves are not kept. */
function keyOf(presented: PresentedCredentials): string {
  const text = presented.kind === 'token' ? `t${presented.token}` : JSON.stringify(presented);
  return createHash('sha256').update(text).digest('base64');
}

function current(principal: DevicePrincipal, now: number): DevicePrincipal {
  if (principal.expiresAt !== null && principal.expiresAt <= now) {
    throw new CodedError('TOKEN_EXPIRED', 'The credential has expired: ask for a new one the way that you got it.');
  }
  return principal;
}
