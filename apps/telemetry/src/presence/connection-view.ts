import type { ConnectionView } from '#contracts';
import type { ConnectionEntity } from './connection.entity.ts';

export const connectionView = (row: ConnectionEntity): ConnectionView => ({
  online: row.online,
  since: row.since?.getTime() ?? null,
  lastSeen: row.lastSeen?.getTime() ?? null,
  via: row.via,
  replica: row.replica,
  address: row.address,
  protocol: row.protocol,
  clientId: row.clientId,
  reason: row.reason,
  will: row.willAt ? { topic: row.willTopic ?? '', payload: row.willPayload ?? '', at: row.willAt.getTime() } : null,
});
