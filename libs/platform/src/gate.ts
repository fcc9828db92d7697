import { CodedError } from '#contracts';

/** When to try again while too many wait, in ms. */
const RETRY_AFTER_MS = 2_000;

/** Lets a few in at once and makes the others wait in line, so that costly work cannot take all memory. */
export class Gate {
  private inside = 0;
  private readonly line: (() => void)[] = [];

  /** @param refusal What is said to those for whom there is no room in the line. */
  constructor(
    private readonly atOnce: number,
    private readonly longestLine: number,
    private readonly refusal: string,
  ) {}

  /** Throws `UNAVAILABLE` with the time to try again when the line is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.enter();
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private async enter(): Promise<void> {
    if (this.inside < this.atOnce) {
      this.inside += 1;
      return;
    }
    if (this.line.length >= this.longestLine) {
      throw new CodedError('UNAVAILABLE', this.refusal, { retryAfterMs: RETRY_AFTER_MS });
    }
    await new Promise<void>((resolve) => this.line.push(resolve));
  }

  private leave(): void {
    const next = this.line.shift();
    if (next) next();
    else this.inside -= 1;
  }
}
