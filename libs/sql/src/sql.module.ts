import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { Health, LOGGER, waitFor, type CheckResult, type Log } from '#platform';
import { dataSourceFor, type DatabaseUrl, type Schema } from './data-source.ts';
import { migrate } from './migrate.ts';

/**
 * One service's own schema: waits for the database, migrates it, and gives the repositories of its entities
 * (`@InjectRepository(Entity, name)`, `@InjectDataSource(name)`).
 */
@Module({})
export class SqlModule {
  /** @param critical Can the service do nothing of use without this database? */
  static forSchema(name: string, url: DatabaseUrl, schema: Schema, critical = true): DynamicModule {
    const token = getDataSourceToken(name);
    const repositories = TypeOrmModule.forFeature(schema.entities as never, name);
    return {
      module: SqlModule,
      global: true,
      imports: [repositories],
      providers: [
        {
          provide: token,
          inject: [LOGGER, Health],
          useFactory: async (log: Log, health: Health) => {
            const dataSource = await openDataSource(name, url, schema, log);
            health.add(`${name} database`, { critical, run: () => ping(dataSource) });
            return dataSource;
          },
        },
        {
          provide: `${name} data source closer`,
          inject: [token],
          useFactory: (dataSource: DataSource) => new Closer(dataSource),
        },
      ],
      exports: [token, repositories],
    };
  }
}

/** Closes the connections when the application is closed. */
class Closer implements OnApplicationShutdown {
  constructor(private readonly dataSource: DataSource) {}

  async onApplicationShutdown(): Promise<void> {
    await this.dataSource.destroy();
  }
}

async function ping(dataSource: DataSource): Promise<CheckResult> {
  await dataSource.query('SELECT 1');
  return { status: 'up' };
}

/** Codes of errors that waiting does not mend. */
const HOPELESS = new Set(['ER_ACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR', 'SQLITE_CANTOPEN', 'EACCES', 'EROFS']);

async function openDataSource(name: string, url: DatabaseUrl, schema: Schema, log: Log): Promise<DataSource> {
  const attempt = async (): Promise<DataSource | Error> => {
    const dataSource = dataSourceFor(url, name, schema);
    try {
      return await dataSource.initialize();
    } catch (error) {
      if (error instanceof Error && HOPELESS.has(String((error as NodeJS.ErrnoException).code))) return error;
      throw error;
    }
  };
  const opened = await waitFor(`the ${name} database`, attempt, log);
  if (opened instanceof Error) throw opened;
  const ran = await migrate(opened);
  if (ran.length > 0) log.info(`${name} database: ran ${ran.map((migration) => migration.name).join(', ')}`);
  return opened;
}
