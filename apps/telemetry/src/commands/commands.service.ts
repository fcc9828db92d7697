import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type CommandView, type Page, type UserPrincipal } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { DeviceAccess } from '../authorise/device-access.ts';
import { deviceFor } from '../authorise/device-for.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { Replica } from '../link/replica.ts';
import { DeviceEvents } from '../live/device-events.ts';
import { CommandDelivery } from './command-delivery.ts';
import { hasEnded, UNREACHABLE, type CommandOutcome } from './command-state.ts';
import { CommandSteps } from './command-steps.ts';
import { CommandStore, type Kept, type NewCommand } from './command-store.ts';
import { commandView } from './command-view.ts';
import { CommandWaiters } from './command-waiters.ts';
import type { CommandEntity } from './command.entity.ts';
import type { CommandsQuery, SendCommand, SentCommand } from './command.schemas.ts';
import { CommandMetrics } from './commands.metrics.ts';
import { Grouped } from './grouped.ts';
import { jsonProblem } from './json-value.ts';

/** Commands that one transaction keeps. */
const MOST = 200;
/** Characters of an error that are kept. */
const ERROR_CHARS = 1_000;
/** Largest number of a command: what a column of integers holds. */
const MAX_NUMBER = 2 ** 31 - 1;

/** What people tell devices to do, and what devices answer. */
@Injectable()
export class Commands {
  private readonly keeping: Grouped<NewCommand, Kept>;

  constructor(
    @Inject(CommandStore) private readonly store: CommandStore,
    @Inject(CommandSteps) private readonly steps: CommandSteps,
    @Inject(CommandDelivery) private readonly delivery: CommandDelivery,
    @Inject(CommandWaiters) private readonly waiters: CommandWaiters,
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(DeviceEvents) private readonly live: DeviceEvents,
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(CommandMetrics) private readonly metrics: CommandMetrics,
    @Inject(Replica) private readonly replica: Replica,
    @Inject(CLOCK) private readonly now: Clock,
  ) {
    this.keeping = new Grouped((commands) => store.keep(commands), MOST);
  }

  /**
   * Sends a command and waits for the device's answer; with `persist` it is kept for the device, and nobody waits. The same key and
   * request again is the same command. Throws `NOT_FOUND`, `FORBIDDEN`, `DEVICE_OFFLINE`, `DEVICE_TIMEOUT`, `COMMAND_ENDED` if somebody
   * called it off, `IDEMPOTENCY_KEY_REUSED`, `UNAVAILABLE` while the database is away.
   */
  async send(
    caller: UserPrincipal,
    deviceId: string,
    request: SendCommand,
    idempotencyKey: string | null,
  ): Promise<SentCommand> {
    const { id } = await deviceFor(this.access, caller, deviceId, 'write');
    const command = this.newCommand(caller, id, request, idempotencyKey);
    return request.persist ? this.keepFor(command) : this.ask(command);
  }

  /** Commands of a device, newest first. */
  async list(caller: UserPrincipal, deviceId: string, query: CommandsQuery): Promise<Page<CommandView>> {
    const { id } = await deviceFor(this.access, caller, deviceId, 'read');
    const { items, nextCursor } = await this.store.page(id, query);
    return { items: items.map(commandView), nextCursor };
  }

  /** Throws `NOT_FOUND`. */
  async get(caller: UserPrincipal, deviceId: string, id: string): Promise<CommandView> {
    const device = await deviceFor(this.access, caller, deviceId, 'read');
    return commandView(known(await this.store.find(device.id, id), id));
  }

  /** Calls a command off; a device that has it already may still do it. Throws `NOT_FOUND`, `COMMAND_ENDED`. */
  async cancel(caller: UserPrincipal, deviceId: string, id: string): Promise<CommandView> {
    const device = await deviceFor(this.access, caller, deviceId, 'write');
    const { command, changed } = await this.steps.take({ id, deviceId: device.id, kind: 'cancelled', at: this.now() });
    const { status } = known(command, id);
    if (!changed) throw new CodedError('COMMAND_ENDED', `The command ${id} has ended already: it is ${status}.`);
    return commandView(known(command, id));
  }

  /**
   * A device's answer; resolves once it is durable. What is not one of its commands, or has ended, is ignored. Rejects while the
   * database is away: then the device is to answer again.
   */
  async answer(deviceId: string, which: { id: string } | { number: number }, outcome: CommandOutcome): Promise<void> {
    const id = await this.idOf(deviceId, which);
    if (id === undefined) return;
    await this.steps.take({ id, deviceId, kind: 'answered', outcome: keepable(outcome), at: this.now() });
  }

  /** A device says that it has a command, which it will answer later. */
  delivered(deviceId: string, id: string): void {
    this.delivery.delivered(deviceId, id);
  }

  private async idOf(deviceId: string, which: { id: string } | { number: number }): Promise<string | undefined> {
    if ('id' in which) return which.id;
    const isNumber = Number.isInteger(which.number) && which.number > 0 && which.number <= MAX_NUMBER;
    return isNumber ? this.delivery.idOf(deviceId, which.number) : undefined;
  }

  private newCommand(
    { userId }: UserPrincipal,
    deviceId: string,
    { method, params, persist, timeoutMs, expiresInSeconds }: SendCommand,
    idempotencyKey: string | null,
  ): NewCommand {
    const { id, createdAt } = this.store.birth();
    const request = JSON.stringify([method, params ?? null, persist, timeoutMs, expiresInSeconds]);
    return {
      id,
      deviceId,
      method,
      params: params ?? null,
      persist,
      idempotencyKey,
      requestHash: idempotencyKey === null ? null : createHash('sha256').update(request).digest('hex'),
      createdBy: userId,
      asker: persist ? null : this.replica.id,
      createdAt,
      expiresAt: new Date(createdAt.getTime() + (persist ? expiresInSeconds * 1_000 : timeoutMs)),
    };
  }

  private async keepFor(command: NewCommand): Promise<SentCommand> {
    const kept = await this.keep(command);
    if (kept.isNew) this.links.tell(command.deviceId, { type: 'command', command: commandView(kept.command) });
    return { id: kept.command.id, status: kept.command.status };
  }

  private async ask(command: NewCommand): Promise<SentCommand> {
    const holder = await this.waiters.holderOf(command.deviceId, this.msUntil(command.expiresAt));
    if (holder === undefined) return this.offline(command);
    const kept = await this.keep(command);
    if (!kept.isNew) return this.endOfOther(kept.command);
    const view = commandView(kept.command);
    const ended = this.waiters.ended(view.id, this.msUntil(command.expiresAt));
    if (holder === this.replica.id) this.delivery.send(view);
    else this.replica.tell(holder, { type: 'send', command: view });
    return outcomeOf((await ended) ?? (await this.overdue(kept.command)));
  }

  private async offline(command: NewCommand): Promise<SentCommand> {
    const { deviceId, idempotencyKey } = command;
    const before = idempotencyKey === null ? null : await this.store.findByKey(deviceId, idempotencyKey);
    if (before) return this.endOfOther(sameRequest(before, command));
    this.metrics.ended('offline');
    throw offline();
  }

  private async keep(command: NewCommand): Promise<Kept> {
    const kept = await this.keeping.add(command);
    if (!kept.isNew) sameRequest(kept.command, command);
    else this.live.tell(command.deviceId, { event: 'command', data: commandView(kept.command) });
    return kept;
  }

  /** The end of a command that somebody else, maybe on another replica, waits for as well. */
  private async endOfOther(command: CommandEntity): Promise<SentCommand> {
    if (hasEnded(command)) return outcomeOf(commandView(command));
    const heard = new Promise<CommandView | undefined>((resolve) => {
      const stop = this.live.watch(command.deviceId, ({ event, data }) => {
        if (event === 'command' && data.id === command.id && hasEnded(data)) finish(data);
      });
      const timer = setTimeout(() => {
        finish(undefined);
      }, this.msUntil(command.expiresAt));
      const finish = (end: CommandView | undefined): void => {
        stop();
        clearTimeout(timer);
        resolve(end);
      };
      void this.store.find(command.deviceId, command.id).then(
        (now) => {
          if (now && hasEnded(now)) finish(commandView(now));
        },
        () => undefined,
      );
    });
    return outcomeOf((await heard) ?? (await this.overdue(command)));
  }

  /** Its time is over, unless its end was there and only not heard of. */
  private async overdue({ id, deviceId, expiresAt }: CommandEntity): Promise<CommandView> {
    const at = Math.max(this.now(), expiresAt.getTime());
    const { command } = await this.steps.take({ id, deviceId, kind: 'overdue', at });
    return commandView(known(command, id));
  }

  private msUntil(time: Date): number {
    return Math.max(0, time.getTime() - this.now());
  }
}

function known(command: CommandEntity | null, id: string): CommandEntity {
  if (!command) throw new CodedError('NOT_FOUND', `The device has no command ${id}.`);
  return command;
}

const offline = (): CodedError =>
  new CodedError(
    'DEVICE_OFFLINE',
    'The device is not connected, or takes no commands: send it with "persist": true and it gets it when it connects.',
  );

function sameRequest(command: CommandEntity, { requestHash }: NewCommand): CommandEntity {
  if (command.requestHash === requestHash) return command;
  throw new CodedError(
    'IDEMPOTENCY_KEY_REUSED',
    'Another command of the device was sent under this Idempotency-Key: choose a new one for each command.',
  );
}

/** What whoever waited for a command's end is told. */
function outcomeOf(command: CommandView): SentCommand {
  const { id, status, result, error } = command;
  switch (status) {
    case 'succeeded':
      return { id, status, result };
    case 'failed':
      return { id, status, error: error ?? '' };
    case 'cancelled':
      throw new CodedError('COMMAND_ENDED', `The command ${id} was cancelled.`);
    case 'expired':
      if (error === UNREACHABLE) throw offline();
      throw timedOut(command);
    default:
      throw timedOut(command);
  }
}

const timedOut = ({ id, createdAt, expiresAt }: CommandView): CodedError =>
  new CodedError(
    'DEVICE_TIMEOUT',
    `The device did not answer command ${id} within ${String(expiresAt - createdAt)} ms.`,
  );

/** What a device answered, in a form that can be kept. */
function keepable(outcome: CommandOutcome): CommandOutcome {
  if (!outcome.ok) return { ok: false, error: outcome.error.slice(0, ERROR_CHARS).toWellFormed() };
  const problem = jsonProblem(outcome.result);
  return problem === undefined ? outcome : { ok: false, error: `The device's answer cannot be kept: it ${problem}.` };
}
