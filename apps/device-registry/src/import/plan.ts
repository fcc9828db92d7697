import { isDeepStrictEqual } from 'node:util';
import type { ImportOutcome } from '#contracts';
import type { DeviceEntity } from '../devices/device.entity.ts';
import { failure, type Candidate, type StatedField } from './import-row.ts';

/** A device that is there already, as far as a row is compared with it. */
export type KnownDevice = Pick<
  DeviceEntity,
  | 'id'
  | 'name'
  | 'kind'
  | 'macAddress'
  | 'serial'
  | 'customerId'
  | 'customerScope'
  | 'profileId'
  | 'labels'
  | 'attributes'
  | 'identityKey'
>;

/** What is there of what a batch describes. */
export interface Known {
  /** Ids of devices, among them those that lines of this import have made. */
  ids: ReadonlySet<string>;
  /** By what rows are told from each other, see {@link Candidate.identity}. */
  byIdentity: ReadonlyMap<string, KnownDevice>;
}

/** What is to become of a batch before it is known how many devices its customers may have. */
export interface Plan {
  /** Outcomes that are certain. */
  outcomes: ImportOutcome[];
  /** Devices to be made, in the order of the file, and the rows after each one that mean the same device. */
  fresh: { head: Candidate; again: Candidate[] }[];
}

/** Sorts rows into those that are done, those that are there, and those that are new. */
export function planOf(
  rows: readonly (Candidate | ImportOutcome)[],
  known: Known,
  idOf: (line: number) => string,
): Plan {
  const outcomes: ImportOutcome[] = [];
  const fresh = new Map<string, { head: Candidate; again: Candidate[] }>();
  for (const row of rows) {
    if ('outcome' in row) outcomes.push(row);
    else if (known.ids.has(idOf(row.line))) outcomes.push({ line: row.line, outcome: 'created' });
    else {
      const there = known.byIdentity.get(row.identity);
      const before = fresh.get(row.identity);
      if (there) outcomes.push(compared(row, there));
      else if (before) before.again.push(row);
      else fresh.set(row.identity, { head: row, again: [] });
    }
  }
  return { outcomes, fresh: [...fresh.values()] };
}

/** The outcomes of a new device and of the rows that mean it again; `made`: its customer had a place for it. */
export function outcomesOf({ head, again }: Plan['fresh'][number], made: boolean): ImportOutcome[] {
  if (!made) return [head, ...again].map(({ line }) => limitReached(line));
  return [{ line: head.line, outcome: 'created' }, ...again.map((row) => compared(row, head))];
}

const limitReached = (line: number): ImportOutcome =>
  failure(
    line,
    'DEVICE_LIMIT_REACHED',
    'customer',
    'has as many devices as it may have: delete one, or have an administrator raise its deviceLimit.',
  );

/** A row and the device that it means: the same, or not, by the fields that the row has. */
function compared(row: Candidate, there: Compared): ImportOutcome {
  const different = differences(row, there);
  const [first] = different;
  if (first === undefined) return { line: row.line, outcome: 'unchanged' };
  return failure(
    row.line,
    'DEVICE_EXISTS',
    first,
    `The device is there already with another ${different.join(', ')}: change it with PATCH /api/devices/:id.`,
  );
}

type Compared = Pick<
  KnownDevice,
  'name' | 'kind' | 'macAddress' | 'serial' | 'customerId' | 'profileId' | 'labels' | 'attributes'
>;

function differences(row: Candidate, there: Compared): StatedField[] {
  const same: Record<StatedField, boolean> = {
    name: row.name === there.name,
    kind: row.kind === there.kind,
    macAddress: row.macAddress === there.macAddress,
    serial: row.serial === there.serial,
    customer: row.customerId === there.customerId,
    profile: row.profileId === there.profileId,
    labels: isDeepStrictEqual([...row.labels].sort(), [...there.labels].sort()),
    attributes: isDeepStrictEqual(row.attributes, there.attributes),
  };
  const compare = [...row.stated, 'customer' as const];
  return compare.filter((field) => !same[field]);
}
