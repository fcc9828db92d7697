import type { CommandView } from '#contracts';
import type { CommandEntity } from './command.entity.ts';

export const commandView = (command: CommandEntity): CommandView => ({
  id: command.id,
  device: command.deviceId,
  number: command.number,
  method: command.method,
  params: command.params,
  status: command.status,
  persist: command.persist,
  result: command.result,
  error: command.error,
  createdBy: command.createdBy,
  createdAt: command.createdAt.getTime(),
  expiresAt: command.expiresAt.getTime(),
  sentAt: command.sentAt?.getTime() ?? null,
  deliveredAt: command.deliveredAt?.getTime() ?? null,
  finishedAt: command.finishedAt?.getTime() ?? null,
});
