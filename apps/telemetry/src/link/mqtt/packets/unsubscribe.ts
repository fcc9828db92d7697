import type { IUnsubscribePacket } from 'mqtt-packet';
import type { MqttClient } from '../client.ts';
import { REASON } from '../reason-codes.ts';
import type { Session } from '../session.ts';
import { findFilter } from '../topics.ts';

/** Drops filters; in version 5 each has its reason (section 3.11.3). */
export function unsubscribe(client: MqttClient, { messageId, unsubscriptions }: IUnsubscribePacket): void {
  const { session } = client;
  if (!session) return;
  const granted = unsubscriptions.map((filter) => drop(session, filter));
  client.send({ cmd: 'unsuback', messageId, granted });
}

function drop(session: Session, filter: string): number {
  if (!session.subscriptions.delete(filter)) return REASON.noSubscriptionExisted;
  const found = findFilter(filter);
  if (found) session.role.unsubscribed(found);
  return REASON.success;
}
