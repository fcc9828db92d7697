import { duplicatesOf, inParallel, piecesOf } from './mongo-bulk.ts';
import type { DeviceDocument, LatestReading, StoreModels } from './mongo-schema.ts';
import type { KnownSeries } from './mongo-series.ts';
import type { Tally } from './write-plan.ts';

/** What a write changes in one device's document. */
export interface DeviceChange {
  deviceId: string;
  tallies: Tally[];
  latest: { series: KnownSeries; reading: LatestReading }[];
}

const PER_BULK = 250;
const AT_ONCE = 4;
const ATTEMPTS = 5;
const COUNTS = ['received', 'stored', 'duplicate', 'conflict', 'rejected'] as const;

/**
 * Counts messages in the ledgers and advances what is newest, one atomic update a device. A message that is counted already
 * (it is in `applied`, or at most `floor`) changes nothing, however often and by however many writers it is applied.
 */
export async function applyChanges(
  models: StoreModels,
  log: { id: string; floor: number },
  changes: readonly DeviceChange[],
): Promise<void> {
  await inParallel(piecesOf(changes, PER_BULK), AT_ONCE, async (piece) => {
    let open = piece;
    for (let attempt = 0; open.length > 0; attempt += 1) {
      if (attempt === ATTEMPTS)
        throw new Error('devices could not be updated: their documents keep being made by others');
      const operations = open.map((change) => ({
        updateOne: { filter: { _id: change.deviceId }, update: changeStages(log, change), upsert: true },
      }));
      const raced = new Set(await duplicatesOf(models.bulk.devices.bulkWrite(operations, { ordered: false })));
      open = open.filter((_, index) => raced.has(index));
    }
    for (const { latest } of piece) for (const { series, reading } of latest) advance(series, reading.t);
  });
}

/** Which of these messages are counted in their devices' ledgers already. */
export async function appliedOf(models: StoreModels, logId: string, tallies: readonly Tally[]): Promise<Set<Tally>> {
  const devices = new Map<string, DeviceDocument>();
  for (const piece of piecesOf([...new Set(tallies.map(({ deviceId }) => deviceId))], 1_000)) {
    const found = await models.devices.find({ _id: { $in: piece } }, { latest: 0 }).lean();
    for (const device of found) devices.set(device._id, device);
  }
  return new Set(tallies.filter(({ deviceId, seq }) => isApplied(devices.get(deviceId), logId, seq)));
}

/** Whether the ledger of a device counts this message. */
export function isApplied(
  device: Pick<DeviceDocument, 'log' | 'floor' | 'applied'> | null | undefined,
  logId: string,
  seq: number,
): boolean {
  return device?.log === logId && (seq <= device.floor || device.applied.includes(seq));
}

/** An update pipeline; what comes from senders stands in `$literal`, since text that begins with `$` is an expression. */
function changeStages(log: { id: string; floor: number }, { tallies, latest }: DeviceChange): object[] {
  const isSameLog: object = { $eq: ['$log', log.id] };
  const floor = { $cond: [isSameLog, { $max: ['$floor', log.floor] }, log.floor] };
  const applied: object = { $cond: [isSameLog, '$applied', []] };
  const messages = tallies.map(({ seq, received, stored, duplicate, conflict, rejected }) => ({
    seq,
    received,
    stored,
    duplicate,
    conflict,
    rejected,
  }));
  const isFresh = {
    $and: [{ $gt: ['$$this.seq', '$was.floor'] }, { $not: [{ $in: ['$$this.seq', '$was.applied'] }] }],
  };
  const counts = COUNTS.map((name): [string, object] => [
    name,
    { $add: [{ $ifNull: [`$${name}`, 0] }, { $sum: `$fresh.${name}` }] },
  ]);
  return [
    { $set: { was: { floor: { $cond: [isSameLog, '$floor', 0] }, applied } } },
    { $set: { fresh: { $filter: { input: { $literal: messages }, cond: isFresh } } } },
    {
      $set: {
        ...Object.fromEntries(counts),
        log: { $literal: log.id },
        floor,
        applied: {
          $concatArrays: [
            { $filter: { input: '$was.applied', cond: { $gt: ['$$this', log.floor] } } },
            { $filter: { input: '$fresh.seq', cond: { $gt: ['$$this', log.floor] } } },
          ],
        },
        ...Object.fromEntries(latest.map(({ series, reading }) => newerOf(series.id, reading))),
      },
    },
    { $unset: ['was', 'fresh'] },
  ];
}

/** Remembers the newest time of a series, so that what is older asks for no update. */
function advance(series: KnownSeries, ts: number): void {
  if (ts > series.newest) series.newest = ts;
}

function newerOf(seriesId: number, reading: LatestReading): [string, object] {
  const path = `latest.${String(seriesId)}`;
  return [path, { $cond: [{ $gt: [reading.t, { $ifNull: [`$${path}.t`, -1] }] }, { $literal: reading }, `$${path}`] }];
}
