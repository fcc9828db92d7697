import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { z } from 'zod';
import type { CommandView, DevicePrincipal } from '#contracts';
import { CLOCK, invalidInput, LOGGER, toCoded, type Clock, type Log } from '#platform';
import { Attributes } from '../attributes/attributes.service.ts';
import type { CommandOutcome } from '../commands/command-state.ts';
import { Commands } from '../commands/commands.service.ts';
import { errorText, stateOf } from '../firmware/firmware-reports.ts';
import { Firmware } from '../firmware/firmware.service.ts';
import { IngestLimits } from '../ingest/ingest-limits.ts';
import { clientAddress, type Trust } from './client-address.ts';
import { DeviceLinks } from './device-links.ts';
import { ackOf, logUnexpected, refusalOf, type OurSocket, type SocketConnection } from './socket-connection.ts';
import { SocketLink } from './socket-link.ts';

/** What a device listens to over its socket: nothing else is sent to it. */
const Topics = z.array(z.enum(['commands', 'attributes'])).max(8);

/** A device's answer to a command, as its acknowledgement. */
const Answer = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown().optional() }),
  z.object({ ok: z.literal(false), error: z.string() }),
]);

/** What devices may send besides readings, and what of it is taken. */
const ListenMessage = z.strictObject({ topics: Topics });
const DeliveredMessage = z.strictObject({ id: z.uuid() });
const AnswerMessage = z.intersection(z.object({ id: z.uuid() }), Answer);
const Keys = z.union([z.literal(true), z.array(z.string().max(255)).max(1_000)]);
const GetMessage = z.strictObject({ client: Keys.optional(), shared: Keys.optional() });
const ReportMessage = z.record(z.string(), z.unknown());

const FirmwareMessage = z.strictObject({
  kind: z.enum(['firmware', 'software']).default('firmware'),
  title: z.string().max(255),
  version: z.string().max(255),
  state: z.string().transform((name, context) => {
    const state = stateOf(name);
    if (state) return state;
    context.addIssue({
      code: 'custom',
      message: 'must be downloading, downloaded, verified, updating, updated or failed',
    });
    return z.NEVER;
  }),
  bytes: z.number().int().min(0).optional(),
  error: z.string().nullish(),
});

/** Takes one event of a device; gives what its acknowledgement has beside `ok`. */
type Take = (link: SocketLink, message: unknown) => Promise<object> | object;

/** How often, and how long after one another in ms, an answer is recorded that came while the database was away. */
const TRIES = 30;
const AGAIN_MS = 2_000;

/**
 * Sockets of devices as links. A device says what it listens to in the handshake, `auth: {token, listens: ['commands', 'attributes']}`, or
 * later with the event `listen {topics}`, which replaces what it said before: a device that does not know of commands would never
 * acknowledge one. Several sockets of one device may be open; the platform speaks over the newest that listens.
 */
@Injectable()
export class DeviceSockets {
  /** Each event of devices, besides `readings`, `auth:refresh` and those of socket.io itself. */
  private readonly events: Readonly<Record<string, Take>> = {
    listen: (link, message) => this.listen(link, ListenMessage.parse(message).topics),
    'command:delivered': ({ device }, message) => {
      this.commands.delivered(device.id, DeliveredMessage.parse(message).id);
      return {};
    },
    'command:answer': async ({ device }, message) => {
      const { id, ...answer } = AnswerMessage.parse(message);
      await this.commands.answer(device.id, { id }, outcomeOf(answer));
      return {};
    },
    'attributes:report': ({ device }, message) => this.attributes.report(device, ReportMessage.parse(message)),
    'attributes:get': ({ device }, message) => {
      const { client, shared } = GetMessage.parse(message);
      return this.attributes.read(device.id, { ...(client && { client }), ...(shared && { shared }) });
    },
    'firmware:state': async ({ device }, message) => {
      const { error, bytes, ...report } = FirmwareMessage.parse(message);
      await this.firmware.state(device, { ...report, error: errorText(error), bytes });
      return {};
    },
  };

  constructor(
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Attributes) private readonly attributes: Attributes,
    @Inject(Firmware) private readonly firmware: Firmware,
    @Inject(IngestLimits) private readonly limits: IngestLimits,
    @Inject(HttpAdapterHost) private readonly http: HttpAdapterHost,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  /** The socket of a device is there. */
  open(socket: OurSocket, connection: SocketConnection, principal: DevicePrincipal): void {
    const onAnswer = (command: CommandView, answer: unknown): void => {
      this.answered(command, answer);
    };
    const link = new SocketLink(principal.device, this.addressOf(socket), socket, connection, onAnswer, this.now);
    this.links.open(link);
    socket.onAny((event: string, ...message: unknown[]) => {
      const take = Object.hasOwn(this.events, event) ? this.events[event] : undefined;
      if (take) void this.take(link, principal, take, message);
    });
    socket.once('disconnect', (reason) => {
      this.links.close(link, connection.endedFor?.message ?? reason);
    });
    this.listen(link, listensOf(socket));
  }

  private listen(link: SocketLink, topics: readonly ('commands' | 'attributes')[]): object {
    for (const topic of Topics.element.options) {
      if (topics.includes(topic)) this.links.ready(link, topic);
      else this.links.notReady(link, topic);
    }
    return { topics };
  }

  private async take(link: SocketLink, principal: DevicePrincipal, take: Take, message: unknown[]): Promise<void> {
    const ack = ackOf(message.at(-1));
    try {
      this.limits.take(principal);
      const answer = await take(link, typeof message[0] === 'function' ? undefined : message[0]);
      ack?.({ ok: true, ...answer });
    } catch (thrown) {
      logUnexpected(thrown, this.log);
      ack?.(refusalOf(thrown));
    }
  }

  private answered({ id, device }: CommandView, answer: unknown): void {
    const parsed = Answer.safeParse(answer);
    const outcome: CommandOutcome = parsed.success
      ? outcomeOf(parsed.data)
      : {
          ok: false,
          error: 'The device’s acknowledgement is not an answer: {ok: true, result} or {ok: false, error}.',
        };
    void this.record(device, id, outcome, TRIES);
  }

  /** An acknowledgement comes once: while the database is away it is kept here. */
  private async record(deviceId: string, id: string, outcome: CommandOutcome, tries: number): Promise<void> {
    try {
      await this.commands.answer(deviceId, { id }, outcome);
    } catch (error) {
      logUnexpected(error, this.log);
      if (tries <= 1 || toCoded(error).code === 'INTERNAL') return;
      setTimeout(() => void this.record(deviceId, id, outcome, tries - 1), AGAIN_MS).unref();
    }
  }

  /** As Express finds it for requests, with the same proxies trusted. */
  private addressOf({ handshake, conn }: OurSocket): string {
    const trust = TrustOf.safeParse(this.http.httpAdapter.getInstance()).data ?? (() => false);
    return clientAddress(conn.remoteAddress, handshake.headers['x-forwarded-for'], trust);
  }
}

/** Express' own way to ask whether an address is a proxy's. */
const TrustOf = z
  .custom<{ get(name: string): unknown }>((app) => typeof app === 'function' && 'get' in app)
  .transform((app) => app.get('trust proxy fn'))
  .pipe(z.custom<Trust>((trust) => typeof trust === 'function'));

const outcomeOf = (answer: z.output<typeof Answer>): CommandOutcome =>
  answer.ok ? { ok: true, result: answer.result ?? null } : { ok: false, error: answer.error };

const listensOf = ({ handshake }: OurSocket): z.output<typeof Topics> =>
  Topics.safeParse(handshake.auth['listens'] ?? []).data ?? [];

/** Refuses a handshake that says nonsense of what the device listens to. Throws `INVALID_INPUT`. */
export function checkListens({ handshake }: OurSocket): void {
  if (!Topics.safeParse(handshake.auth['listens'] ?? []).success) {
    throw invalidInput('/listens', `must be a list of ${Topics.element.options.join(', ')}`);
  }
}
