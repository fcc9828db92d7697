/** A replica's beat as it was read. */
interface Beat {
  id: string;
  beat: number;
}

/** For how long a beat may stand still before its replica counts as dead, in ms. */
const STILL_MS = 15_000;
/** A gap between two looks, in ms, after which nothing is known of how long a beat has stood still: nobody could raise it either. */
const BLIND_MS = 10_000;

/** How long each replica's beat has stood still, by the looker's own clock: no two clocks are compared. */
export class Beats {
  private readonly known = new Map<string, { beat: number; since: number }>();
  private lastLook = Number.NEGATIVE_INFINITY;

  /** Takes in what was read at `now` (ms, of a clock that is never set); gives the replicas that are dead. */
  look<T extends Beat>(beats: readonly T[], now: number): T[] {
    if (now - this.lastLook > BLIND_MS) this.known.clear();
    this.lastLook = now;
    const dead = beats.filter((beat) => this.standsStill(beat, now));
    const there = new Set(beats.map(({ id }) => id));
    for (const id of this.known.keys()) if (!there.has(id)) this.known.delete(id);
    return dead;
  }

  private standsStill({ id, beat }: Beat, now: number): boolean {
    const known = this.known.get(id);
    if (known?.beat === beat) return now - known.since >= STILL_MS;
    this.known.set(id, { beat, since: now });
    return false;
  }
}
