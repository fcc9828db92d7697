import { toCoded } from '#platform';

interface Waiting<I, R> {
  item: I;
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
}

/**
 * Does the work of many at once: one round at a time, each with everything that came while the one before was under way, so that the
 * more there is to do, the less each costs.
 */
export class Grouped<I, R> {
  private waiting: Waiting<I, R>[] = [];
  private working: Promise<void> | undefined;

  /**
   * @param work Gives the results in the order of the items; it either does all of a group or nothing.
   * @param most Items of one group.
   */
  constructor(
    private readonly work: (items: I[]) => Promise<R[]>,
    private readonly most: number,
  ) {}

  /** Resolves with the item's result. One that cannot be done does not keep the others from being done. */
  add(item: I): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.working ??= this.go();
    });
  }

  /** Once nothing is under way any more. */
  async idle(): Promise<void> {
    await this.working;
  }

  private async go(): Promise<void> {
    while (this.waiting.length > 0) {
      await new Promise(setImmediate);
      await this.doAll(this.waiting.splice(0, this.most));
    }
    this.working = undefined;
  }

  private async doAll(group: Waiting<I, R>[]): Promise<void> {
    try {
      const results = await this.work(group.map(({ item }) => item));
      group.forEach(({ resolve }, index) => {
        resolve(results[index] as R);
      });
    } catch (error) {
      if (group.length === 1 || toCoded(error).code === 'UNAVAILABLE') for (const { reject } of group) reject(error);
      else for (const one of group) await this.doAll([one]);
    }
  }
}
