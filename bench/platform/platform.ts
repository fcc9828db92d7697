import { z } from 'zod';
import { Ledger } from '#contracts';
import { provisionDebug } from '#device-sdk';
import { waitUntil } from '#testing';
import type { House, OwnProcesses } from '../../e2e/house.ts';
import type { SeriesPlan } from '../counting/series-plan.ts';
import type { FoundSeries } from '../counting/tally.ts';
import { foundSeries, type StoreReader } from './store-reader.ts';

const Login = z.object({ token: z.string() });
/** Devices that are made at a time. */
const AT_ONCE = 16;

const Devices = z.object({ items: z.tuple([z.object({ id: z.string() })]) });
const Ready = z.object({
  checks: z.object({ 'reading log': z.object({ backlog: z.object({ messages: z.number() }) }) }),
});

/** A house whose processes are our own to measure and to kill. */
export type OwnHouse = House & { own: OwnProcesses };

export interface PlatformOptions<H extends OwnHouse> {
  name: string;
  house: H;
  /** Names of the services among the house's own that take readings in and write them. */
  telemetry: string[];
  openStore: () => Promise<StoreReader>;
}

/** A running Fieldline under load: how devices get in, and what it has of what they sent. */
export class Platform<H extends OwnHouse = OwnHouse> {
  readonly name: string;
  readonly house: H;
  private readonly known: string[] = [];
  private readonly telemetry: string[];
  private readonly openStore: () => Promise<StoreReader>;

  constructor({ name, house, telemetry, openStore }: PlatformOptions<H>) {
    this.name = name;
    this.house = house;
    this.telemetry = telemetry;
    this.openStore = openStore;
  }

  /** Of the first process that takes readings in, past the gateway. */
  get directUrl(): string {
    return this.address(this.telemetry[0]);
  }

  /** Where the first process that takes readings in takes MQTT, past the gateway. */
  get directMqttUrl(): string {
    return this.house.own.mqttAddresses[this.telemetry[0] ?? ''] ?? this.house.mqttUrl;
  }

  /** Processes that take readings in and write them. */
  get pids(): number[] {
    return this.telemetry.map((name) => this.house.own.services[name]?.pid ?? 0);
  }

  /** Access token of device `index`, which is made if there is none yet. */
  token(index: number): Promise<string> {
    return provisionDebug({ url: this.house.url, macAddress: macAddressOf(index) });
  }

  /** Access tokens of the first so many devices. */
  async tokens(devices: number): Promise<string[]> {
    for (let from = this.known.length; from < devices; from = this.known.length) {
      const some = Math.min(AT_ONCE, devices - from);
      this.known.push(...(await Promise.all(Array.from({ length: some }, (_, i) => this.token(from + i)))));
    }
    return this.known.slice(0, devices);
  }

  /** Ids of the first so many devices, which are made if they are not there yet. */
  async deviceIds(devices: number): Promise<string[]> {
    await this.tokens(devices);
    const authorization = `Bearer ${await this.administratorToken()}`;
    const idOf = async (index: number): Promise<string> => {
      const query = `macAddress=${encodeURIComponent(macAddressOf(index))}`;
      const response = await fetch(`${this.house.url}/api/devices?${query}`, { headers: { authorization } });
      return Devices.parse(await response.json()).items[0].id;
    };
    return Promise.all(Array.from({ length: devices }, (_, index) => idOf(index)));
  }

  /** Resolves once nothing waits in the log any more. */
  async drained(timeoutMs = 300_000): Promise<void> {
    const backlog = async () => {
      const response = await fetch(`${this.directUrl}/health/ready`);
      return Ready.parse(await response.json()).checks['reading log'].backlog.messages;
    };
    await waitUntil(async () => (await backlog()) === 0, { what: 'the log is drained', timeoutMs, everyMs: 25 });
  }

  /** What the store has of a plan, from the database itself. */
  async found(plan: SeriesPlan): Promise<FoundSeries[]> {
    const store = await this.openStore();
    try {
      return await foundSeries(store, plan);
    } finally {
      await store.close();
    }
  }

  /** What the API says became of everything that these devices sent. */
  async ledgers(deviceIds: Iterable<string>): Promise<Ledger[]> {
    const token = await this.administratorToken();
    return Promise.all(
      [...deviceIds].map(async (id) => {
        const response = await fetch(`${this.house.url}/api/devices/${id}/ledger`, {
          headers: { authorization: `Bearer ${token}` },
        });
        return Ledger.parse(await response.json());
      }),
    );
  }

  stop(): Promise<void> {
    return this.house.stop();
  }

  async administratorToken(): Promise<string> {
    const response = await fetch(`${this.house.url}/user/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(this.house.admin),
    });
    return Login.parse(await response.json()).token;
  }

  private address(service: string | undefined): string {
    const address = this.house.own.addresses[service ?? ''];
    if (address === undefined) throw new Error(`there is no service ${service}`);
    return address;
  }
}

const macAddressOf = (index: number): string => `02:00:00:00:${hexByte(index >> 8)}:${hexByte(index & 255)}`;

const hexByte = (value: number): string => value.toString(16).padStart(2, '0').toUpperCase();
