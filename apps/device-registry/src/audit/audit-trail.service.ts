import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type SelectQueryBuilder } from 'typeorm';
import type { Page, UserPrincipal } from '#contracts';
import { keysetPage, type Order } from '#sql';
import { REGISTRY } from '../data-source-name.ts';
import { narrowTo } from '../narrowing.ts';
import { AuditEntryEntity } from './audit-entry.entity.ts';
import { auditView, type AuditQuery, type AuditView } from './audit.schemas.ts';

export const NEWEST_FIRST: Order<AuditEntryEntity> = { sort: '-at', property: 'id', descending: true };

/** Reads the audit trail: administrators all of it, operators what is of their customer. */
@Injectable()
export class AuditTrail {
  constructor(@InjectDataSource(REGISTRY) private readonly dataSource: DataSource) {}

  async list(caller: UserPrincipal, { limit, cursor, ...filters }: AuditQuery): Promise<Page<AuditView>> {
    const query = auditQuery(this.dataSource, caller, filters);
    const { items, nextCursor } = await keysetPage(query, NEWEST_FIRST, { limit, cursor });
    return { items: items.map(auditView), nextCursor };
  }
}

/** The entries that somebody sees, narrowed by filters; every value is a parameter. */
export function auditQuery(
  dataSource: DataSource,
  caller: UserPrincipal,
  { customer, subject, actor, action, from, to }: Partial<AuditQuery>,
): SelectQueryBuilder<AuditEntryEntity> {
  const query = dataSource.getRepository(AuditEntryEntity).createQueryBuilder('entry');
  const hasSubject = subject !== undefined;
  const own = caller.role === 'admin' ? undefined : (caller.customerId ?? '');
  narrowTo(query, 'customerId', own, { asked: hasSubject, as: 'own' });
  narrowTo(query, 'customerId', customer, { asked: hasSubject });
  narrowTo(query, 'subjectId', subject);
  narrowTo(query, 'actorId', actor, { asked: hasSubject });
  narrowTo(query, 'action', action, { asked: hasSubject || actor !== undefined });
  if (from !== undefined) query.andWhere('entry.id >= :from', { from: firstIdOf(from) });
  if (to !== undefined) query.andWhere('entry.id < :to', { to: firstIdOf(to) });
  return query;
}

/** Before every UUID version 7 of that time (ms since the epoch), and after those of earlier ones: RFC 9562 section 5.7. */
function firstIdOf(time: number): string {
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
