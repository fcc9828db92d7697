import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, IsNull, LessThan, MoreThan, Not, type EntityManager } from 'typeorm';
import type { CommandStatus, Page } from '#contracts';
import { CLOCK, uuid7, uuid7Floor, type Clock } from '#platform';
import { insertRows, inTransaction, isUniqueViolation, keysetPage, rowLock } from '#sql';
import { TELEMETRY } from '../data-source-name.ts';
import { OPEN_STATUSES, stepped, type CommandState, type CommandStep } from './command-state.ts';
import { CommandCounterEntity, CommandEntity } from './command.entity.ts';

/** A command that is to be kept; its number is given when it is. */
export type NewCommand = Pick<
  CommandEntity,
  'id' | 'deviceId' | 'method' | 'params' | 'persist' | 'idempotencyKey' | 'requestHash' | 'createdBy' | 'asker'
> & { expiresAt: Date; createdAt: Date };

/** A command that was kept, or the one that was there before under its idempotency key. */
export interface Kept {
  command: CommandEntity;
  isNew: boolean;
}

/** A step of one command; without a device, whoever's it is. */
export type StepOf = { id: string; deviceId: string | null } & CommandStep;

/** The command after the steps, if there is one; `changed` if any of them did anything. */
export interface Stepped {
  command: CommandEntity | null;
  changed: boolean;
}

const NEWEST_FIRST = { sort: '-number', property: 'number', descending: true } as const;
/** How often a group is kept anew when another replica was quicker with an idempotency key. */
const KEY_RACES = 5;
/** Rows that one statement deletes. */
const ROWS_AT_ONCE = 1_000;

/** Commands as they are kept. */
@Injectable()
export class CommandStore {
  constructor(
    @InjectDataSource(TELEMETRY) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  find(deviceId: string, id: string): Promise<CommandEntity | null> {
    return this.manager.findOneBy(CommandEntity, { deviceId, id });
  }

  findByKey(deviceId: string, idempotencyKey: string): Promise<CommandEntity | null> {
    return this.manager.findOneBy(CommandEntity, { deviceId, idempotencyKey });
  }

  /** The id of a device's command of that number. */
  async idOf(deviceId: string, number: number): Promise<string | undefined> {
    const found = await this.manager.findOne(CommandEntity, { select: { id: true }, where: { deviceId, number } });
    return found?.id;
  }

  /** Commands of one device, newest first. */
  page(
    deviceId: string,
    { status, ...page }: { limit: number; cursor?: string | undefined; status?: CommandStatus | undefined },
  ): Promise<Page<CommandEntity>> {
    const query = this.dataSource
      .getRepository(CommandEntity)
      .createQueryBuilder('command')
      .where('command.deviceId = :deviceId', { deviceId });
    if (status) query.andWhere('command.status = :status', { status });
    return keysetPage(query, NEWEST_FIRST, page);
  }

  /** For which of these devices something is kept that they do not have yet. */
  async waitingFor(deviceIds: readonly string[]): Promise<Set<string>> {
    const rows = await this.manager
      .createQueryBuilder(CommandEntity, 'command')
      .select('DISTINCT command.deviceId', 'deviceId')
      .where({ deviceId: In(deviceIds), status: In(['queued', 'sent']), persist: true })
      .getRawMany<{ deviceId: string }>();
    return new Set(rows.map(({ deviceId }) => deviceId));
  }

  /** What is kept for a device that it does not have yet, in order, from the one behind `after` on. */
  backlog(deviceId: string, after: number, limit: number): Promise<CommandEntity[]> {
    return this.manager.find(CommandEntity, {
      where: { deviceId, status: In(['queued', 'sent']), persist: true, number: MoreThan(after) },
      order: { number: 'ASC' },
      take: limit,
    });
  }

  /** Ids of commands whose time was over before `time`, ms since the epoch, and that have not ended. */
  async overdue(time: number, limit: number): Promise<string[]> {
    const rows = await this.manager.find(CommandEntity, {
      select: { id: true },
      where: { status: In([...OPEN_STATUSES]), expiresAt: LessThan(new Date(time)) },
      order: { expiresAt: 'ASC' },
      take: limit,
    });
    return rows.map(({ id }) => id);
  }

  /** Keeps new commands in one transaction and numbers them; one whose idempotency key is there already is not kept again. */
  async keep(commands: readonly NewCommand[], races: number = KEY_RACES): Promise<Kept[]> {
    try {
      return await inTransaction(this.dataSource, (manager) => keepWithin(manager, commands));
    } catch (error) {
      if (races <= 1 || !isUniqueViolation(error)) throw error;
      return this.keep(commands, races - 1);
    }
  }

  /** Takes steps in one transaction, those of one command in their order. */
  step(steps: readonly StepOf[]): Promise<Stepped[]> {
    return inTransaction(this.dataSource, (manager) => stepWithin(manager, steps));
  }

  /** Deletes commands that ended and were created before `time`, ms since the epoch. */
  async prune(time: number): Promise<void> {
    const oldest = uuid7Floor(time);
    for (;;) {
      const old = await this.manager.find(CommandEntity, {
        select: { id: true },
        where: { id: LessThan(oldest), finishedAt: Not(IsNull()) },
        order: { id: 'ASC' },
        take: ROWS_AT_ONCE,
      });
      if (old.length > 0) await this.manager.delete(CommandEntity, { id: In(old.map(({ id }) => id)) });
      if (old.length < ROWS_AT_ONCE) return;
    }
  }

  /** The device is no more. */
  async forget(deviceId: string): Promise<void> {
    await this.manager.delete(CommandEntity, { deviceId });
    await this.manager.delete(CommandCounterEntity, { deviceId });
  }

  /** The id and the time of a command that is created now. */
  birth(): { id: string; createdAt: Date } {
    const now = this.now();
    return { id: uuid7(now), createdAt: new Date(now) };
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

const keyOf = ({ deviceId, idempotencyKey }: Pick<CommandEntity, 'deviceId' | 'idempotencyKey'>): string =>
  `${deviceId} ${idempotencyKey ?? ''}`;

async function keepWithin(manager: EntityManager, commands: readonly NewCommand[]): Promise<Kept[]> {
  const known = await knownByKey(manager, commands);
  const fresh: NewCommand[] = [];
  const keys = new Set(known.keys());
  for (const command of commands) {
    if (command.idempotencyKey === null || !keys.has(keyOf(command))) fresh.push(command);
    if (command.idempotencyKey !== null) keys.add(keyOf(command));
  }
  const rows = await insertNumbered(manager, fresh);
  for (const row of rows.values()) if (row.idempotencyKey !== null) known.set(keyOf(row), row);
  return commands.map((command) => {
    const row = rows.get(command.id);
    if (row) return { command: row, isNew: true };
    const other = known.get(keyOf(command));
    if (!other) throw new Error('a command was neither kept nor there before');
    return { command: other, isNew: false };
  });
}

async function knownByKey(manager: EntityManager, commands: readonly NewCommand[]) {
  const where = commands
    .filter(({ idempotencyKey }) => idempotencyKey !== null)
    .map(({ deviceId, idempotencyKey }) => ({ deviceId, idempotencyKey: idempotencyKey ?? '' }));
  const rows = where.length === 0 ? [] : await manager.find(CommandEntity, { where });
  return new Map(rows.map((row) => [keyOf(row), row]));
}

async function insertNumbered(manager: EntityManager, commands: NewCommand[]): Promise<Map<string, CommandEntity>> {
  if (commands.length === 0) return new Map();
  const numbers = await takeNumbers(manager, commands);
  const rows = commands.map((command): CommandEntity => {
    const number = (numbers.get(command.deviceId) ?? 0) + 1;
    numbers.set(command.deviceId, number);
    return {
      ...command,
      number,
      status: 'queued',
      result: null,
      error: null,
      linkId: null,
      sentAt: null,
      deliveredAt: null,
      finishedAt: null,
    };
  });
  await insertRows(manager, CommandEntity, rows);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Raises each device's counter by as many as it has new commands; gives what it was before. */
async function takeNumbers(manager: EntityManager, commands: readonly NewCommand[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { deviceId } of commands) counts.set(deviceId, (counts.get(deviceId) ?? 0) + 1);
  const devices = [...counts.keys()].sort();
  const onConflict =
    manager.connection.options.type === 'mysql'
      ? 'ON DUPLICATE KEY UPDATE last_number = last_number + VALUES(last_number)'
      : 'ON CONFLICT (device_id) DO UPDATE SET last_number = last_number + excluded.last_number';
  await manager.query(
    `INSERT INTO command_counters (device_id, last_number) VALUES ${devices.map(() => '(?, ?)').join(', ')} ${onConflict}`,
    devices.flatMap((device) => [device, counts.get(device)]),
  );
  const counters = await manager.findBy(CommandCounterEntity, { deviceId: In(devices) });
  return new Map(counters.map(({ deviceId, lastNumber }) => [deviceId, lastNumber - (counts.get(deviceId) ?? 0)]));
}

async function stepWithin(manager: EntityManager, steps: readonly StepOf[]): Promise<Stepped[]> {
  const ids = [...new Set(steps.map(({ id }) => id))].sort();
  const rows = await manager.find(CommandEntity, { where: { id: In(ids) }, lock: rowLock(manager) });
  const commands = new Map(rows.map((row) => [row.id, row]));
  const changed = new Set<string>();
  const results = steps.map((step): Stepped => {
    const command = commands.get(step.id);
    if (!command || (step.deviceId !== null && command.deviceId !== step.deviceId))
      return { command: null, changed: false };
    const next = stepped(command, step);
    if (!next) return { command, changed: false };
    const row: CommandEntity = { ...command, ...next };
    commands.set(row.id, row);
    changed.add(row.id);
    return { command: row, changed: true };
  });
  await update(
    manager,
    [...changed].map((id) => commands.get(id)).filter((row) => row !== undefined),
  );
  return results;
}

/** The columns of a command's state, and how each is written. */
const STATE_COLUMNS: Record<string, (state: CommandState) => unknown> = {
  status: ({ status }) => status,
  link_id: ({ linkId }) => linkId,
  sent_at: ({ sentAt }) => sentAt,
  delivered_at: ({ deliveredAt }) => deliveredAt,
  finished_at: ({ finishedAt }) => finishedAt,
  result: ({ result }) => (result === null || result === undefined ? null : JSON.stringify({ value: result })),
  error: ({ error }) => error,
};

/** Writes the states of locked rows in one statement. */
async function update(manager: EntityManager, rows: readonly CommandEntity[]): Promise<void> {
  if (rows.length === 0) return;
  const parameters: unknown[] = [];
  const assignments = Object.entries(STATE_COLUMNS).map(([name, value]) => {
    for (const row of rows) parameters.push(row.id, value(row));
    return `${name} = CASE id ${rows.map(() => 'WHEN ? THEN ?').join(' ')} END`;
  });
  await manager.query(`UPDATE commands SET ${assignments.join(', ')} WHERE id IN (${rows.map(() => '?').join(', ')})`, [
    ...parameters,
    ...rows.map(({ id }) => id),
  ]);
}
