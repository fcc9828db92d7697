import type { ReadingInput } from '#contracts';
import type { DeviceCredentials } from '../src/link/credentials.ts';
import type { AttributesChange, CommandOutcome } from '../src/link/transport.ts';
import type { DeviceOptions } from '../src/device.ts';

/** A batch as it came in. */
export interface Arrival {
  batchId: string;
  readings: ReadingInput[];
  /** What the link had shown. */
  credentials: Partial<Record<'token' | 'userName' | 'password', unknown>>;
  /** Ends the link as a network does. */
  cut(): void;
  /** Ends the link as the platform does. */
  dismiss(): void;
}

/** What the platform does with a batch: gives this acknowledgement, or none. */
export type Behaviour = (arrival: Arrival) => Answer | undefined;

export interface Refusal {
  ok: false;
  code: string;
  message: string;
  retryAfterMs?: number;
}

export interface Receipt {
  ok: true;
  batchId: string;
  accepted: number;
  rejected: { index: number; code: string; message: string }[];
}

export type Answer = Receipt | Refusal;

/** The receipt of a batch, with these indices rejected. */
export const receipt = (
  { batchId, readings }: Pick<Arrival, 'batchId' | 'readings'>,
  rejected: number[] = [],
): Receipt => ({
  ok: true,
  batchId,
  accepted: readings.length - rejected.length,
  rejected: rejected.map((index) => ({
    index,
    code: 'BAD_VALUE',
    message: `The value of reading ${index} is not valid.`,
  })),
});

export interface SentCommand {
  id: string;
  number: number;
  method: string;
  params: unknown;
}

/** What a device told of a package. */
export interface ToldState {
  state: unknown;
  version: unknown;
  error: unknown;
}

/** A Fieldline platform as a device sees it, that behaves as badly as the test says. */
export abstract class Platform {
  readonly arrivals: Arrival[] = [];
  /** What each attempt to connect showed. */
  readonly handshakes: DeviceCredentials[] = [];
  /** Readings that the platform has, by identity. */
  readonly stored = new Map<string, ReadingInput>();
  /** Batch ids that came again with other content. */
  readonly changed: string[] = [];
  /** Answers to commands, by number. */
  readonly answers: { number: number; outcome: CommandOutcome }[] = [];
  /** Numbers of commands that the device has told that it has them. */
  readonly delivered: number[] = [];
  readonly reported: Record<string, unknown>[] = [];
  readonly states: ToldState[] = [];
  /** Where each download, or part of one, began. */
  readonly loads: number[] = [];
  client: Record<string, unknown> = {};
  shared: Record<string, unknown> = {};
  firmware: Buffer = Buffer.alloc(0);
  behave: Behaviour = (arrival) => receipt(arrival);
  /** Why these credentials are not let in, or undefined to let them in. */
  admit: (shown: DeviceCredentials) => Omit<Refusal, 'ok'> | undefined = () => undefined;
  /** The answer to attributes that the device reports; none for undefined. */
  take: (attributes: Record<string, unknown>) => { ok: true } | Refusal | undefined = () => ({ ok: true });
  /** Is this part of a download given? The link is cut otherwise. */
  give: (offset: number) => boolean = () => true;
  private readonly contents = new Map<string, string>();

  abstract readonly port: number;
  /** How a device reaches it. */
  abstract get options(): Pick<DeviceOptions, 'url' | 'transport' | 'mqttUrl'>;
  /** Links that are open. */
  abstract get links(): number;
  /** The code that a device sees where the platform says this. */
  abstract seen(code: string): string;
  abstract start(): Promise<this>;
  abstract stop(): Promise<void>;
  /** Ends every link without a word, as a network does. */
  abstract cut(): void;
  abstract sendCommand(command: SentCommand): void;
  /** Is somebody there who takes commands? */
  abstract get takesCommands(): boolean;
  /** Is somebody there who hears of shared attributes? */
  abstract get listensToAttributes(): boolean;
  abstract tellShared(change: AttributesChange): void;

  get tokens(): unknown[] {
    return this.handshakes.map((shown) => ('token' in shown ? shown.token : undefined));
  }

  /** Writes shared attributes and tells the device. */
  share(changed: Record<string, unknown>, deleted: string[] = []): void {
    this.shared = { ...this.shared, ...changed };
    for (const key of deleted) delete this.shared[key];
    this.tellShared({ changed, deleted });
  }

  /** Stores what the receipt of a batch says is stored. */
  keep({ readings }: Arrival, rejected: number[] = []): void {
    readings.forEach((reading, index) => {
      if (!rejected.includes(index)) this.stored.set(`${reading.sensor} ${String(reading.ts)}`, reading);
    });
  }

  protected onBatch(arrival: Arrival): Answer | undefined {
    this.arrivals.push(arrival);
    const content = JSON.stringify(arrival.readings);
    if ((this.contents.get(arrival.batchId) ?? content) !== content) this.changed.push(arrival.batchId);
    this.contents.set(arrival.batchId, content);
    return this.behave(arrival);
  }

  protected onReport(attributes: Record<string, unknown>): { ok: true } | Refusal | undefined {
    this.reported.push(attributes);
    const answer = this.take(attributes);
    if (answer?.ok) this.client = { ...this.client, ...attributes };
    return answer;
  }
}
