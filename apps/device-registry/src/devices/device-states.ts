import type { EntityManager } from 'typeorm';
import type { DeviceState } from '#contracts';
import { actorsChange, audit, type AuditRecord } from '../audit/audit.ts';
import type { Change } from './device-rows.ts';
import { DeviceEntity } from './device.entity.ts';

/** Moves a locked device to another state, by what the audit trail calls `action`; nothing happens if it is in that state already. */
export async function enterState(
  manager: EntityManager,
  before: DeviceEntity,
  state: DeviceState,
  action: AuditRecord['action'],
  { actor, now }: Change,
): Promise<DeviceEntity> {
  if (before.state === state) return before;
  const change = {
    state,
    activatedAt: state === 'active' ? new Date(now) : null,
    version: before.version + 1,
    updatedAt: new Date(now),
  };
  await manager.update(DeviceEntity, { id: before.id }, change);
  await audit(manager, now, {
    ...actorsChange(actor, action, before),
    changes: { state: { from: before.state, to: state } },
  });
  return manager.create(DeviceEntity, { ...before, ...change });
}
