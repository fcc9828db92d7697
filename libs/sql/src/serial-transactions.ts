import type { DataSource } from 'typeorm';
import { BetterSqlite3QueryRunner } from 'typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js';

type BetterSqlite3Driver = ConstructorParameters<typeof BetterSqlite3QueryRunner>[0];
type Release = () => void;

/** Longest wait for the connection, in ms: longer means that something inside a transaction waits for something outside it. */
const WAIT_MS = 10_000;

/** A lock that is given in the order in which it was asked for. */
class Turn {
  private last: Promise<void> = Promise.resolve();

  async take(): Promise<Release> {
    let release: Release = () => undefined;
    const before = this.last;
    this.last = new Promise((resolve) => {
      release = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error('the database connection is not free: is a query running outside its own transaction?'));
      }, WAIT_MS);
    });
    try {
      await Promise.race([before, late]);
    } catch (error) {
      void before.then(release);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return release;
  }
}

/**
 * Gives a SQLite data source one transaction at a time, as a pool of size one would. TypeORM by itself turns a second
 * transaction into a savepoint of the first one, whose rollback then takes the second one's rows with it.
 * To be called before `initialize`.
 */
export function serializeTransactions(dataSource: DataSource): void {
  const turn = new Turn();
  const driver = dataSource.driver as BetterSqlite3Driver;

  class SerialQueryRunner extends BetterSqlite3QueryRunner {
    private held: Release | undefined;

    constructor() {
      super(driver);
    }

    override async startTransaction(
      isolation?: Parameters<BetterSqlite3QueryRunner['startTransaction']>[0],
    ): Promise<void> {
      if (this.transactionDepth === 0) this.held = await turn.take();
      try {
        await super.startTransaction(isolation);
      } catch (error) {
        this.giveBack();
        throw error;
      }
    }

    override async commitTransaction(): Promise<void> {
      await super.commitTransaction();
      this.giveBack();
    }

    override async rollbackTransaction(): Promise<void> {
      try {
        await super.rollbackTransaction();
      } finally {
        this.giveBack();
      }
    }

    override async query(
      ...call: Parameters<BetterSqlite3QueryRunner['query']>
    ): ReturnType<BetterSqlite3QueryRunner['query']> {
      if (this.held) return super.query(...call);
      const release = await turn.take();
      try {
        return await super.query(...call);
      } finally {
        release();
      }
    }

    override async release(): Promise<void> {
      await super.release();
      this.giveBack();
    }

    private giveBack(): void {
      if (this.transactionDepth > 0) return;
      this.held?.();
      this.held = undefined;
    }
  }

  driver.createQueryRunner = () => new SerialQueryRunner();
}
