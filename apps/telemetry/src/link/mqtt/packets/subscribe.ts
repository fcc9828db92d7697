import type { ISubscribePacket, ISubscription } from 'mqtt-packet';
import type { MqttClient } from '../client.ts';
import { REASON } from '../reason-codes.ts';
import type { Session } from '../session.ts';
import { findFilter, type FoundTopic } from '../topics.ts';

/** Return code of a refused filter in 3.1.1 (section 3.9.3); 3.1 has none, its clients are told the same. */
const FAILURE = 0x80;

interface Grant {
  filter: string;
  found: FoundTopic;
  qos: 0 | 1;
}

/** Grants the filters that the table has for this client with QoS 0 or 1, and refuses the others one by one [MQTT-3.8.4-5]. */
export async function subscribe(client: MqttClient, packet: ISubscribePacket): Promise<void> {
  const { session } = client;
  if (!session) return;
  // Subscription Identifiers Available is 0 in our CONNACK (MQTT 5 section 3.2.2.3.12).
  if (packet.properties?.subscriptionIdentifier !== undefined) {
    client.disconnect(REASON.subscriptionIdentifiersNotSupported, 'Subscription identifiers are not taken here.');
    return;
  }
  const grants = await Promise.all(packet.subscriptions.map((wanted) => grantOf(session, wanted)));
  const given = grants.filter((grant) => grant !== undefined);
  for (const { filter, qos } of given) session.subscriptions.set(filter, qos);
  const refusal = client.version === 5 ? REASON.notAuthorized : FAILURE;
  client.send({ cmd: 'suback', messageId: packet.messageId, granted: grants.map((grant) => grant?.qos ?? refusal) });
  if (client.isClosed) return;
  for (const { found, filter } of given) session.role.subscribed(found, filter);
}

async function grantOf(session: Session, { topic: filter, qos }: ISubscription): Promise<Grant | undefined> {
  const found = findFilter(filter);
  if (found && (await session.role.maySubscribe(found))) return { filter, found, qos: qos === 0 ? 0 : 1 };
  session.role.refused('TOPIC_NOT_ALLOWED: the device may not subscribe to this filter', filter);
  return undefined;
}
