import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CodedError, type DevicePrincipal, type ErrorCode } from '#contracts';
import { BUS, Events, RpcClient, type Bus, type Unsubscribe } from '#messaging';
import type { PresentedCredentials } from './presented-credentials.ts';

/** How long a verified credential is believed without asking again, in ms. */
const BELIEVED_MS = 60_000;
/** How long a refused one is, in ms: guessing must not reach the registry at full rate, a new device must not wait long. */
const REFUSED_MS = 2_000;
const MAX_ENTRIES = 50_000;
/** Refusals that asking again at once does not change. */
const REFUSALS = new Set<ErrorCode>(['BAD_CREDENTIALS', 'TOKEN_EXPIRED', 'DEVICE_DISABLED', 'NOT_REGISTERED']);

/** In place of the id of a device: any of them may have changed. */
const ALL = '*';

/** Which credential may no longer be used: one, or all of a device. */
export interface RevokedCredential {
  deviceId: string;
  credentialId: string | null;
}

/** Devices' credentials, verified by the registry and believed for a minute; revoked ones are dropped at once. */
@Injectable()
export class DeviceCredentials implements OnApplicationShutdown {
  private readonly verified = new LRUCache<string, DevicePrincipal>({
    max: MAX_ENTRIES,
    ttl: BELIEVED_MS,
    noDisposeOnSet: true,
    dispose: ({ device }, key) => {
      this.unlist(device.id, key);
    },
  });
  /** The keys of {@link verified} by device: a change of one device does not look at all others. */
  private readonly keysOf = new Map<string, Set<string>>();
  private readonly refused = new LRUCache<string, CodedError>({ max: MAX_ENTRIES, ttl: REFUSED_MS });
  private readonly listeners = new Set<(revoked: RevokedCredential) => void>();
  private readonly subscriptions: Unsubscribe[];
  /** For each question on its way, the devices that changed meanwhile: an answer that is of one of them is asked for again. */
  private readonly asking = new Set<Set<string>>();

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
        this.forgetDevice(device.id, null);
        this.refused.clear();
      }),
    ];
    bus.onReconnect(() => {
      this.forgetAll();
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
    const known = this.verified.get(key);
    if (known) return current(known, Date.now());
    const refusal = this.refused.get(key);
    if (refusal) throw refusal;
    return current(await this.ask(key, presented), Date.now());
  }

  /** Calls back when a credential was revoked, so that its connections can be ended. */
  onRevoked(end: (revoked: RevokedCredential) => void): Unsubscribe {
    this.listeners.add(end);
    return () => this.listeners.delete(end);
  }

  private async ask(key: string, presented: PresentedCredentials): Promise<DevicePrincipal> {
    const changed = new Set<string>();
    this.asking.add(changed);
    try {
      const principal = await this.rpc.call('registry.credentials.verify', presented);
      if (changed.has(principal.device.id) || changed.has(ALL)) return await this.ask(key, presented);
      this.list(principal.device.id, key);
      this.verified.set(key, principal);
      return principal;
    } catch (error) {
      if (changed.size === 0 && error instanceof CodedError && REFUSALS.has(error.code)) this.refused.set(key, error);
      throw error;
    } finally {
      this.asking.delete(changed);
    }
  }

  private forget(revoked: RevokedCredential): void {
    this.forgetDevice(revoked.deviceId, revoked.credentialId);
    for (const end of this.listeners) end(revoked);
  }

  /** With null, all credentials of the device. */
  private forgetDevice(deviceId: string, credentialId: string | null): void {
    for (const changed of this.asking) changed.add(deviceId);
    for (const key of [...(this.keysOf.get(deviceId) ?? [])]) {
      const principal = this.verified.peek(key);
      if (credentialId === null || principal?.credentialId === credentialId) this.verified.delete(key);
    }
  }

  private forgetAll(): void {
    for (const changed of this.asking) changed.add(ALL);
    this.verified.clear();
    this.refused.clear();
  }

  private list(deviceId: string, key: string): void {
    const keys = this.keysOf.get(deviceId);
    if (keys) keys.add(key);
    else this.keysOf.set(deviceId, new Set([key]));
  }

  private unlist(deviceId: string, key: string): void {
    const keys = this.keysOf.get(deviceId);
    keys?.delete(key);
    if (keys?.size === 0) this.keysOf.delete(deviceId);
  }
}

/** The secrets themselves are not kept. */
function keyOf(presented: PresentedCredentials): string {
  const text = presented.kind === 'token' ? `t${presented.token}` : `p${JSON.stringify(presented)}`;
  return createHash('sha256').update(text).digest('base64');
}

function current(principal: DevicePrincipal, now: number): DevicePrincipal {
  if (principal.expiresAt !== null && principal.expiresAt <= now) {
    throw new CodedError('TOKEN_EXPIRED', 'The credential has expired: ask for a new one the way that you got it.');
  }
  return principal;
}
