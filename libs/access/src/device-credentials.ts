import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CodedError, type DevicePrincipal } from '#contracts';
import { BUS, Events, RpcClient, type Bus, type Unsubscribe } from '#messaging';

/** How long a verified credential is believed without asking again, in ms. */
const BELIEVED_MS = 60_000;
/** How long a refused one is, in ms: guessing must not reach the registry at full rate, a new device must not wait long. */
const REFUSED_MS = 2_000;
const MAX_ENTRIES = 50_000;

/** Which credential may no longer be used: one, or all of a device. */
export interface RevokedCredential {
  deviceId: string;
  credentialId: string | null;
}

/** Devices' credentials, verified by the registry and believed for a minute; revoked ones are dropped at once. */
@Injectable()
export class DeviceCredentials implements OnApplicationShutdown {
  private readonly verified = new LRUCache<string, DevicePrincipal>({ max: MAX_ENTRIES, ttl: BELIEVED_MS });
  private readonly refused = new LRUCache<string, CodedError>({ max: MAX_ENTRIES, ttl: REFUSED_MS });
  private readonly listeners = new Set<(revoked: RevokedCredential) => void>();
  private readonly subscriptions: Unsubscribe[];
  /** Grows with every revocation: an answer that was on its way meanwhile is asked for again. */
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
      events.on('registry.device.changed', ({ device }) => {
        this.forgetWhere((principal) => principal.device.id === device.id);
      }),
    ];
    bus.onReconnect(() => {
      this.forgetWhere(() => true);
    });
  }

  onApplicationShutdown(): void {
    for (const unsubscribe of this.subscriptions) unsubscribe();
  }

  /** Whose access token is this? Throws `BAD_CREDENTIALS`, or `UNAVAILABLE` while the registry is away and it is not known yet. */
  async verify(token: string): Promise<DevicePrincipal> {
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.verified.get(key);
    if (known) return current(known, Date.now());
    const refusal = this.refused.get(key);
    if (refusal) throw refusal;
    return current(await this.ask(key, token), Date.now());
  }

  /** Calls back when a credential was revoked, so that its connections can be ended. */
  onRevoked(end: (revoked: RevokedCredential) => void): Unsubscribe {
    this.listeners.add(end);
    return () => this.listeners.delete(end);
  }

  private async ask(key: string, token: string): Promise<DevicePrincipal> {
    const asked = this.revision;
    try {
      const principal = await this.rpc.call('registry.credentials.verify', { kind: 'token', token });
      if (asked !== this.revision) return await this.ask(key, token);
      this.verified.set(key, principal);
      return principal;
    } catch (error) {
      if (error instanceof CodedError && error.code === 'BAD_CREDENTIALS') this.refused.set(key, error);
      throw error;
    }
  }

  private forget(revoked: RevokedCredential): void {
    const { deviceId, credentialId } = revoked;
    this.forgetWhere(
      (principal) =>
        principal.device.id === deviceId && (credentialId === null || principal.credentialId === credentialId),
    );
    for (const end of this.listeners) end(revoked);
  }

  private forgetWhere(matches: (principal: DevicePrincipal) => boolean): void {
    this.revision += 1;
    for (const [key, principal] of this.verified.entries()) if (matches(principal)) this.verified.delete(key);
  }
}

function current(principal: DevicePrincipal, now: number): DevicePrincipal {
  if (principal.expiresAt !== null && principal.expiresAt <= now) {
    throw new CodedError('TOKEN_EXPIRED', 'The credential has expired: get a new one from an administrator.');
  }
  return principal;
}
