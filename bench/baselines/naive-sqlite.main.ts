import 'reflect-metadata';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { dataSourceFor } from '#sql';
import { readingOf, serve } from './socket-server.ts';

@Entity('readings')
class NaiveRow {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ type: 'varchar' })
  sensor: string;

  @Column({ type: 'double' })
  value: number;

  @Column({ type: 'bigint' })
  ts: number;
}

/**
 * The naive design in one process: one `save` for each socket.io event. With the project's own SQLite settings (write-ahead log,
 * synced commits), which are kinder to it than SQLite's defaults.
 */
const dataSource = dataSourceFor(`file:${process.argv[2] ?? ''}`, 'naive', { entities: [NaiveRow], migrations: [] });
await dataSource.initialize();
await dataSource.synchronize();
const rows = dataSource.getRepository(NaiveRow);
serve((payload) => rows.save(rows.create(readingOf(payload))));
