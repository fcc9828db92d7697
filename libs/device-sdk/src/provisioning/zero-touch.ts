import { CodedError, type ReadingInput } from '#contracts';
import { z } from 'zod';
import { Receipt } from '../answers.ts';
import { type Clock, systemClock } from '../clock.ts';
import { ask, at, bearer, jsonPost } from '../http.ts';
import { type DeviceCredentials, type GetToken, type Provisioning, tokenOf } from '../link/credentials.ts';
import { isUnauthenticated } from './kept-login.ts';
import { MemoryMemory, type ProvisioningMemory, recall } from './memory.ts';
import { describeSystem } from './system.ts';

/** On whose behalf a device is provisioned: an administrator or operator, or the bearer of a provisioning key. */
export type ZeroTouchCaller = { provisioningKey: string } | { getToken: GetToken };

/** Where a device stands: names, and degrees (WGS 84). */
export interface ZeroTouchLocation {
  country: string;
  state: string;
  latitude?: number;
  longitude?: number;
}

/** What a device is to be; profiles by name. */
export interface ZeroTouchDescription {
  name: string;
  serial: string;
  macAddress?: string;
  deviceProfile: string;
  countryProfile?: string;
  stateProfile?: string;
  /** Id or number of the customer whose device it is to be, where the caller may choose. */
  customer?: string;
  /** Without it the platform finds out by the address that the request comes from, or goes by its configuration. */
  location?: ZeroTouchLocation;
  /** Where it is taken to be when the address says nothing. */
  fallbackLocation?: ZeroTouchLocation;
}

export interface ZeroTouchOptions {
  url: string;
  caller: ZeroTouchCaller;
  device: ZeroTouchDescription;
  /** What the device tells of itself; the machine that it runs on by default. */
  system?: Record<string, unknown>;
  /** Keeps the access token. */
  memory?: ProvisioningMemory;
  clock?: Clock;
}

const Point = { latitude: z.number().nullish(), longitude: z.number().nullish() };

const Provisioned = z.object({
  device: z.object({ id: z.string(), name: z.string() }),
  created: z.boolean().optional(),
  assets: z.array(z.object({ id: z.string(), name: z.string() })),
  accessToken: z.string().min(1),
  location: z
    .object({ country: z.string().nullish(), state: z.string().nullish(), ...Point, source: z.string() })
    .nullish(),
  warnings: z.array(z.union([z.string(), z.object({ message: z.string() })])).optional(),
});

/** The platform's answer: the device, and the assets that contain it from the country down. */
export interface ZeroTouchPlace {
  device: { id: string; name: string };
  /** Undefined when the platform does not say. */
  created?: boolean;
  assets: { id: string; name: string }[];
  location?: { country?: string; state?: string; latitude?: number; longitude?: number; source: string };
  warnings: string[];
}

const Kept = z.object({
  way: z.literal('zero-touch'),
  name: z.string(),
  serial: z.string(),
  deviceId: z.string(),
  accessToken: z.string(),
  handshake: z.object({ ts: z.number(), done: z.boolean(), ...Point }),
});
type Kept = z.output<typeof Kept>;

/**
 * Provisioning by one call: `POST /api/provision` finds or makes the device with the assets that contain it and brings its access token,
 * which is saved; then the device's first readings, `serial`, `latitude`, `longitude` and `system`, are its handshake. Their time is saved
 * before they are sent, so that sent again they are the same readings.
 */
export class ZeroTouch implements Provisioning {
  private readonly memory: ProvisioningMemory;
  private readonly clock: Clock;
  private readonly system: Record<string, unknown>;

  constructor(private readonly options: ZeroTouchOptions) {
    this.memory = options.memory ?? new MemoryMemory();
    this.clock = options.clock ?? systemClock;
    this.system = options.system ?? describeSystem();
  }

  async enter(refused?: DeviceCredentials): Promise<DeviceCredentials> {
    const kept = await this.recall();
    if (!kept || kept.accessToken === tokenOf(refused)) await this.provision();
    else if (kept.handshake.done) return { token: kept.accessToken };
    await this.shakeHands().catch((error: unknown) => this.onHandshakeRefused(error));
    return { token: (await this.recallOrThrow()).accessToken };
  }

  /** Asks the platform for the device, whether it was asked before or not; its handshake is due afterwards. */
  async provision(): Promise<ZeroTouchPlace> {
    const { name, serial } = this.options.device;
    const { accessToken, ...reply } = await this.requestPlace();
    const { latitude, longitude } = reply.location ?? {};
    await this.memory.save({
      way: 'zero-touch',
      name,
      serial,
      deviceId: reply.device.id,
      accessToken,
      handshake: { ts: this.clock.now(), done: false, latitude, longitude },
    } satisfies Kept);
    return placeOf(reply);
  }

  /** Sends the handshake of a device that is provisioned; resolves with how many readings are durable. */
  async shakeHands(): Promise<number> {
    const kept = await this.recallOrThrow();
    const readings = this.handshakeOf(kept);
    const receipt = await ask(
      Receipt,
      at(this.options.url, '/telemetry'),
      jsonPost(readings, bearer(kept.accessToken)),
    );
    const [rejected] = receipt.rejected;
    if (rejected) throw rejectionOf(rejected, readings[rejected.index]?.sensor);
    await this.memory.save({ ...kept, handshake: { ...kept.handshake, done: true } } satisfies Kept);
    return receipt.accepted;
  }

  /** A token that was revoked before the handshake is replaced, once. */
  private async onHandshakeRefused(error: unknown): Promise<void> {
    if (!isUnauthenticated(error)) throw error;
    await this.provision();
    await this.shakeHands();
  }

  private async requestPlace(): Promise<z.output<typeof Provisioned>> {
    const { url, caller, device } = this.options;
    const requestBy = (token: string) =>
      ask(Provisioned, at(url, '/api/provision'), jsonPost({ ...device, system: this.system }, bearer(token)));
    if ('provisioningKey' in caller) return requestBy(caller.provisioningKey);
    const token = await caller.getToken();
    try {
      return await requestBy(token);
    } catch (error) {
      if (!isUnauthenticated(error)) throw error;
      return requestBy(await caller.getToken(token));
    }
  }

  private handshakeOf({ serial, handshake: { ts, latitude, longitude } }: Kept): ReadingInput[] {
    return [
      { sensor: 'serial', value: serial, ts },
      ...(typeof latitude === 'number' ? [{ sensor: 'latitude', value: latitude, unit: '°', ts }] : []),
      ...(typeof longitude === 'number' ? [{ sensor: 'longitude', value: longitude, unit: '°', ts }] : []),
      { sensor: 'system', value: this.system, ts },
    ];
  }

  private recall(): Promise<Kept | undefined> {
    const { name, serial } = this.options.device;
    return recall(this.memory, Kept, (kept) => kept.name === name && kept.serial === serial);
  }

  private async recallOrThrow(): Promise<Kept> {
    const kept = await this.recall();
    if (!kept) throw new Error(`${this.options.device.name} is not provisioned yet, or its memory keeps nothing.`);
    return kept;
  }
}

function rejectionOf({ code, message }: { code: string; message: string }, sensor: string | undefined): Error {
  const words = `The reading ${sensor ?? ''} of the handshake was rejected (${code}): ${message}`;
  return CodedError.from({ code, message: words }) ?? new Error(words);
}

function placeOf({ device, created, assets, location, warnings }: Omit<z.output<typeof Provisioned>, 'accessToken'>) {
  const place: ZeroTouchPlace = {
    device,
    created,
    assets,
    warnings: (warnings ?? []).map((warning) => (typeof warning === 'string' ? warning : warning.message)),
  };
  if (!location) return place;
  const { country, state, latitude, longitude, source } = location;
  place.location = {
    source,
    country: country ?? undefined,
    state: state ?? undefined,
    latitude: latitude ?? undefined,
    longitude: longitude ?? undefined,
  };
  return place;
}
