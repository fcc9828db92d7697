import { Inject, Injectable } from '@nestjs/common';
import type { Actor, ZeroTouchDevice, ZeroTouchResult } from '#contracts';
import { RpcClient } from '#messaging';
import { CustomerChoice } from '../customer-choice.ts';
import { deviceView } from '../device-view.ts';
import { Locations, type Located } from '../location/locations.ts';
import { KeyUses } from '../provisioning-keys/key-uses.ts';
import type { Provisioner } from './provisioner.ts';
import type { ProvisionReply, ProvisionRequest } from './zero-touch.schemas.ts';

/** How long the registry may take, in ms: of many devices that come at once, each waits for its turn. */
const TIMEOUT_MS = 15_000;

/** One call that gives a device its place, and its token. */
@Injectable()
export class ZeroTouch {
  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(CustomerChoice) private readonly customers: CustomerChoice,
    @Inject(Locations) private readonly locations: Locations,
    @Inject(KeyUses) private readonly uses: KeyUses,
  ) {}

  /**
   * Throws `PROFILE_NOT_FOUND`, `DEVICE_MISMATCH`, `DEVICE_LIMIT_REACHED`, `DEVICE_DISABLED`, `INVALID_INPUT`, `FORBIDDEN`,
   * `PROVISIONING_KEY_USED_UP`, `BAD_CREDENTIALS` for a key that was revoked just now, `UNAVAILABLE`.
   */
  async provision(provisioner: Provisioner, address: string, request: ProvisionRequest): Promise<ProvisionReply> {
    const { customer, location, fallbackLocation, ...device } = request;
    const customerId = await this.customerOf(provisioner, customer);
    const located = await this.locations.find(location, address, fallbackLocation);
    const asked = { ...device, actor: actorOf(provisioner), customerId, place: located.place };
    return replyOf(await this.counted(provisioner, asked), located);
  }

  private customerOf(provisioner: Provisioner, named: string | undefined): Promise<string | null> {
    return provisioner.kind === 'key'
      ? this.customers.only(provisioner.key.customerId, named)
      : this.customers.ofPerson(provisioner.person, named);
  }

  private counted(provisioner: Provisioner, device: ZeroTouchDevice): Promise<ZeroTouchResult> {
    if (provisioner.kind === 'person') return this.ask(device);
    return this.uses.counted(provisioner.key.id, device.serial, () => this.ask(device));
  }

  private ask(device: ZeroTouchDevice): Promise<ZeroTouchResult> {
    return this.rpc.call('registry.devices.zeroTouch', device, TIMEOUT_MS);
  }
}

const actorOf = (provisioner: Provisioner): Actor =>
  provisioner.kind === 'key'
    ? { kind: 'provisioning-key', id: provisioner.key.id }
    : { kind: 'user', id: provisioner.person.userId };

const replyOf = (
  { device, created, assets, accessToken }: ZeroTouchResult,
  { place, source, warnings }: Located,
): ProvisionReply => ({
  device: deviceView(device),
  created,
  assets,
  accessToken,
  location: place &&
    source && {
      country: place.country,
      state: place.state,
      latitude: place.latitude ?? null,
      longitude: place.longitude ?? null,
      source,
    },
  warnings,
});
