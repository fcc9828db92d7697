import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type ImportOutcome, type ImportRequest, type ImportResult } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, isForeignKeyViolation, isUniqueViolation } from '#sql';
import { actorOf } from '../audit/audit.ts';
import { takePlaces } from '../customers/device-places.ts';
import { REGISTRY } from '../data-source-name.ts';
import { mayPlaceWith, startOf } from '../devices/device-policy.ts';
import { deviceOf, insertDevices } from './device-bulk.ts';
import { checkRow, type Candidate, type RowContext } from './import-row.ts';
import { importedIds } from './imported-id.ts';
import { knownDevices, namedCustomers, namedProfiles } from './known-devices.ts';
import { outcomesOf, planOf, type Plan } from './plan.ts';

/** How often a batch is tried that other writers were faster than. */
const ATTEMPTS = 20;

/** Makes the devices of imports, a batch at a time. */
@Injectable()
export class Imports {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** One transaction: afterwards every row has its outcome, in the order of the rows; a batch that is done again has the same ones. */
  async import(request: ImportRequest): Promise<ImportResult> {
    const outcomes = await this.attempt(request, ATTEMPTS);
    const byLine = new Map(outcomes.map((outcome) => [outcome.line, outcome]));
    return { outcomes: request.rows.flatMap(({ line }) => byLine.get(line) ?? []) };
  }

  private async attempt(request: ImportRequest, attempts: number): Promise<ImportOutcome[]> {
    try {
      return await inTransaction(this.dataSource, (manager) => this.inOneTransaction(manager, request), ATTEMPTS);
    } catch (error) {
      if (attempts <= 1 || !wasBeaten(error)) throw error;
      return this.attempt(request, attempts - 1);
    }
  }

  private async inOneTransaction(
    manager: EntityManager,
    { jobId, user, rows }: ImportRequest,
  ): Promise<ImportOutcome[]> {
    const idOf = importedIds(jobId);
    const start = startOf(user);
    const context: RowContext = {
      customerByDefault: start.customerId,
      mayPlaceWith: (customerId) => mayPlaceWith(user, customerId),
      customer: await namedCustomers(
        manager,
        user,
        rows.map(({ customer }) => customer),
      ),
      profile: await namedProfiles(
        manager,
        rows.map(({ profile }) => profile),
      ),
    };
    const checked = rows.map((row) => checkRow(row, context));
    const candidates = checked.filter((row): row is Candidate => !('outcome' in row));
    const plan = planOf(checked, await knownDevices(manager, candidates, idOf), idOf);
    const change = { actor: actorOf(user), now: this.now() };
    const fresh = await placed(manager, plan.fresh);
    const made = fresh
      .filter(({ hasPlace }) => hasPlace)
      .map(({ head }) => deviceOf(head, idOf(head.line), { jobId, ownerId: start.ownerId }, change));
    await insertDevices(manager, made, change);
    return [...plan.outcomes, ...fresh.flatMap((group) => outcomesOf(group, group.hasPlace))];
  }
}

type Placed = Plan['fresh'][number] & { hasPlace: boolean };

/** Which new devices their customers have places for, in the order of the file; the customers' rows are locked in one order. */
async function placed(manager: EntityManager, fresh: Plan['fresh']): Promise<Placed[]> {
  const wanted = new Map<string | null, number>();
  for (const { head } of fresh) wanted.set(head.customerId, (wanted.get(head.customerId) ?? 0) + 1);
  const free = new Map<string | null, number>();
  for (const customerId of [...wanted.keys()].sort()) {
    free.set(customerId, await takePlaces(manager, customerId, wanted.get(customerId) ?? 0));
  }
  return fresh.map((group) => {
    const left = free.get(group.head.customerId) ?? 0;
    free.set(group.head.customerId, left - 1);
    return { ...group, hasPlace: left > 0 };
  });
}

/** Did somebody else make or delete meanwhile what the batch was to make or needs? */
const wasBeaten = (error: unknown): boolean =>
  isUniqueViolation(error) ||
  isForeignKeyViolation(error) ||
  (error instanceof CodedError && error.code === 'CONFLICT');
