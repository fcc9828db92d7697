import type { EntityManager } from 'typeorm';
import type { Actor, UserPrincipal } from '#contracts';
import { uuid7 } from '#platform';
import { AuditEntryEntity, type AuditChanges, type AuditSubject } from './audit-entry.entity.ts';

/** Something that was changed: by whom, what was done, to what. */
export interface AuditRecord {
  actor: Actor;
  /** Such as `device.updated`. */
  action: `${AuditSubject}.${string}`;
  subject: { kind: AuditSubject; id: string; name: string | null; customerId: string | null };
  changes?: AuditChanges;
}

/** Adds to the audit trail, in the transaction that makes the change: there is never the one without the other. */
export async function audit(manager: EntityManager, now: number, ...records: AuditRecord[]): Promise<void> {
  await manager.insert(AuditEntryEntity, auditEntries(now, records) as object[]);
}

/** The entries of records, for whoever writes many at once. */
export const auditEntries = (now: number, records: readonly AuditRecord[]): AuditEntryEntity[] =>
  records.map(({ actor, action, subject, changes }) => ({
    id: uuid7(now),
    at: new Date(now),
    actorKind: actor.kind,
    actorId: actor.id,
    action,
    subjectKind: subject.kind,
    subjectId: subject.id,
    subjectName: subject.name,
    customerId: subject.customerId,
    changes: changes ?? null,
  }));

export const actorOf = ({ userId }: UserPrincipal): Actor => ({ kind: 'user', id: userId });

/** Which fields differ, as they were and as they are. */
export function changesBetween(before: object, after: object): AuditChanges {
  const old = new Map<string, unknown>(Object.entries(before));
  const changed = Object.entries(after).filter(([field, to]) => JSON.stringify(old.get(field)) !== JSON.stringify(to));
  return Object.fromEntries(changed.map(([field, to]) => [field, { from: old.get(field) ?? null, to: to as unknown }]));
}

/** A record of something done to a thing of a customer, named after what was done. */
export const actorsChange = (
  actor: Actor,
  action: AuditRecord['action'],
  { id, name, customerId }: { id: string; name: string | null; customerId: string | null },
): AuditRecord => ({ actor, action, subject: { kind: subjectOf(action), id, name, customerId } });

const subjectOf = (action: AuditRecord['action']): AuditSubject => action.split('.')[0] as AuditSubject;
