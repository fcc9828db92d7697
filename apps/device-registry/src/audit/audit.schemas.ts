import { z } from 'zod';
import { Actor, PageQuery, pageOf } from '#contracts';
import { text } from '#platform';
import type { AuditEntryEntity } from './audit-entry.entity.ts';

/** The last millisecond that an id can say. */
const MAX_TIME = 2 ** 48 - 1;

const Time = z.coerce.number().int().min(0).max(MAX_TIME);

export const AuditQuery = PageQuery.omit({ sort: true, q: true }).extend({
  customer: z.uuid().optional(),
  subject: z.uuid().optional().describe('Id of what was changed'),
  actor: text(64).optional().describe('Id of who changed it'),
  action: text(64).optional().describe('Such as device.updated'),
  from: Time.optional().describe('ms since the epoch, inclusive'),
  to: Time.optional().describe('ms since the epoch, exclusive'),
});
export type AuditQuery = z.output<typeof AuditQuery>;

/** Who changed what, and when (ms since the epoch). */
export const AuditView = z
  .object({
    id: z.uuid(),
    at: z.int(),
    actor: Actor,
    action: z.string(),
    subject: z.object({ kind: z.string(), id: z.uuid(), name: z.string().nullable() }),
    customer: z.uuid().nullable(),
    changes: z.record(z.string(), z.object({ from: z.unknown(), to: z.unknown() })).nullable(),
  })
  .meta({ id: 'RegistryAuditEntry' });
export type AuditView = z.output<typeof AuditView>;

export const AuditPage = pageOf(AuditView).meta({ id: 'RegistryAuditPage' });

export const auditView = (row: AuditEntryEntity): AuditView => ({
  id: row.id,
  at: row.at.getTime(),
  actor: { kind: row.actorKind, id: row.actorId },
  action: row.action,
  subject: { kind: row.subjectKind, id: row.subjectId, name: row.subjectName },
  customer: row.customerId,
  changes: row.changes,
});
