import { Inject, Injectable } from '@nestjs/common';
import { liveSubject, type Reading } from '#contracts';
import { BUS, type Bus, type Unsubscribe } from '#messaging';
import { parseEntry, textOf, type WrittenEntry } from '../reading-log/log-body.ts';
import { READING_LOG, type ReadingLog } from '../reading-log/reading-log.ts';
import { READING_STORE, type ReadingStore } from '../reading-store/reading-store.ts';
import { readingsOf, type LiveReadings } from './subscription.ts';

/** How long a replay waits for the writer to have stored what was appended before it, in ms. */
const SETTLE_MS = 5_000;
/** Readings of one replayed event, and read from the store at a time. */
const REPLAY_PAGE = 1_000;
/** The end of time in JavaScript, ms since the epoch (ECMA-262 section 21.4.1.1). */
const END_OF_TIME = 8.64e15;

/** Where a viewer's events go; resolves once the viewer can take more. */
export type Deliver = (event: LiveReadings) => void | Promise<void>;

/** One viewer's interest in one device. */
interface Interest {
  sensors: ReadonlySet<string> | undefined;
  deliver: Deliver;
}

/** Everybody who watches devices on this replica. */
@Injectable()
export class Viewers {
  private readonly watched = new Map<string, { interests: Set<Interest>; unsubscribe: Unsubscribe }>();

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(READING_STORE) private readonly store: ReadingStore,
    @Inject(READING_LOG) private readonly log: ReadingLog,
  ) {}

  /** Tells all viewers, on every replica, of an entry that is durable. */
  tell(entry: WrittenEntry): void {
    const subject = liveSubject(entry.deviceId);
    if (this.bus.reaches(subject)) this.bus.publish(subject, textOf(entry));
  }

  /**
   * Delivers from now on what is received of a device. With `since`, first what was received with a timestamp from then on:
   * nothing is left out between the two, some may come twice.
   */
  async watch(
    deviceId: string,
    sensors: readonly string[] | undefined,
    since: number | undefined,
    deliver: Deliver,
  ): Promise<Unsubscribe> {
    if (since === undefined) return this.follow(deviceId, { sensors: sensors && new Set(sensors), deliver });
    const held: LiveReadings[] = [];
    let hold = (event: LiveReadings): void | Promise<void> => void held.push(event);
    const stop = this.follow(deviceId, { sensors: sensors && new Set(sensors), deliver: (event) => hold(event) });
    try {
      await this.log.settled(SETTLE_MS);
      await this.replay(deviceId, sensors, since, deliver);
      for (const event of held) await deliver(event);
    } catch (error) {
      stop();
      throw error;
    }
    hold = deliver;
    return stop;
  }

  /** The newest reading of each sensor. */
  latest(deviceId: string, sensors: readonly string[] | undefined): Promise<Reading[]> {
    return this.store.latest(deviceId, sensors);
  }

  private follow(deviceId: string, interest: Interest): Unsubscribe {
    const watched = this.watched.get(deviceId) ?? this.listen(deviceId);
    watched.interests.add(interest);
    return () => {
      watched.interests.delete(interest);
      if (watched.interests.size > 0 || this.watched.get(deviceId) !== watched) return;
      watched.unsubscribe();
      this.watched.delete(deviceId);
    };
  }

  private listen(deviceId: string): { interests: Set<Interest>; unsubscribe: Unsubscribe } {
    const interests = new Set<Interest>();
    const unsubscribe = this.bus.subscribe(liveSubject(deviceId), (text) => {
      const entry = parseEntry(text);
      for (const { sensors, deliver } of interests) {
        const readings = readingsOf(entry, sensors);
        if (readings.length > 0) void deliver({ device: deviceId, readings });
      }
    });
    const watched = { interests, unsubscribe };
    this.watched.set(deviceId, watched);
    return watched;
  }

  private async replay(
    deviceId: string,
    sensors: readonly string[] | undefined,
    since: number,
    deliver: Deliver,
  ): Promise<void> {
    for (const sensor of sensors ?? [undefined]) {
      let after: { ts: number; sensor: string } | undefined;
      for (;;) {
        const readings = await this.store.range({
          deviceId,
          from: since,
          to: END_OF_TIME,
          order: 'asc',
          limit: REPLAY_PAGE,
          ...(sensor === undefined ? {} : { sensor }),
          ...(after ? { after } : {}),
        });
        if (readings.length > 0) await deliver({ device: deviceId, readings, replay: true });
        after = readings.at(-1);
        if (readings.length < REPLAY_PAGE) break;
      }
    }
  }
}
