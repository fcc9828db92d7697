/** A replica's beat as it was read. */
interface Beat {
  id: string;
  beat: number;
}

/** For how long a beat may stand still before its replica counts as dead, in ms. */
const STILL_MS = 15_000;
/** How much one look can add to that, in ms: while nobody could look, for the database was away, nobody could raise a beat either. */
const MOST_BETWEEN_MS = 5_000;

/** How long each replica's beat has stood still, by the looker's own clock: no two clocks are compared. */
export class Beats {
  private known = new Map<string, { beat: number; stillMs: number }>();
  private lastLook: number | undefined;

  /** Takes in what was read at `now` (ms, of a clock that is never set); gives the replicas that are dead. */
  look<T extends Beat>(beats: readonly T[], now: number): T[] {
    const passed = Math.min(now - (this.lastLook ?? now), MOST_BETWEEN_MS);
    this.lastLook = now;
    const { known } = this;
    this.known = new Map(
      beats.map(({ id, beat }) => {
        const before = known.get(id);
        return [id, { beat, stillMs: before?.beat === beat ? before.stillMs + passed : 0 }];
      }),
    );
    return beats.filter(({ id }) => (this.known.get(id)?.stillMs ?? 0) >= STILL_MS);
  }
}
