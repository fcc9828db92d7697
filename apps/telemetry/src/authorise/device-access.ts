import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { CacheByDevice } from '#access';
import { CodedError, type DeviceAction, type DeviceRef, type Principal, type UserPrincipal } from '#contracts';
import { Events, RpcClient, type Unsubscribe } from '#messaging';

/** How long the registry's answer is believed, in ms; a change of the device ends it at once. */
const BELIEVED_MS = 30_000;
const MAX_ENTRIES = 50_000;

/** Which devices a caller may use: asked of the registry, believed for a while. */
@Injectable()
export class DeviceAccess implements OnApplicationShutdown {
  private readonly allowed = new CacheByDevice<DeviceRef>({ max: MAX_ENTRIES, ttl: BELIEVED_MS }, ({ id }) => id);
  private readonly unsubscribe: Unsubscribe;
  private readonly listeners = new Set<(deviceId: string) => void>();

  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(Events) events: Events,
  ) {
    this.unsubscribe = events.on('registry.device.changed', ({ change, device }) => {
      if (change === 'created') return;
      this.allowed.forget(device.id);
      for (const tell of this.listeners) tell(device.id);
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  /** Calls back when who may use a device may have changed: what was answered before is forgotten by then. */
  onChanged(tell: (deviceId: string) => void): Unsubscribe {
    this.listeners.add(tell);
    return () => this.listeners.delete(tell);
  }

  /** The device of this id, or of this name behind a gateway. Throws `DEVICE_NOT_ALLOWED`, with no word on whether it exists. */
  async authorise(principal: Principal, device: string, action: DeviceAction): Promise<DeviceRef> {
    if (principal.kind === 'device' && principal.device.id === device) return principal.device;
    const key = `${callerKey(principal)} ${action} ${device}`;
    return this.allowed.get(key, () => this.rpc.call('registry.devices.authorize', { principal, device, action }));
  }

  /** The device that a caller's readings belong to when they name none. */
  async home(principal: Principal): Promise<DeviceRef> {
    return principal.kind === 'device' ? principal.device : this.defaultGateway(principal);
  }

  private async defaultGateway(user: UserPrincipal): Promise<DeviceRef> {
    const { userId, customerId } = user;
    const key = `${callerKey(user)} home`;
    return this.allowed.get(key, () => this.rpc.call('registry.devices.defaultGateway', { userId, customerId }));
  }
}

/** A person's rights are those of their token; a device's are those of the device. */
const callerKey = (principal: Principal): string =>
  principal.kind === 'user'
    ? `${principal.userId} ${principal.role} ${principal.customerId ?? '-'}`
    : principal.device.id;

/** Is this the answer that the caller may not use the device (rather than that the registry is away)? */
export const isRefusal = (error: unknown): error is CodedError =>
  error instanceof CodedError && error.code === 'DEVICE_NOT_ALLOWED';
