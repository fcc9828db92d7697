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
  const given = grants.filter((grant) => typeof grant !== 'number');
  for (const { filter, qos } of given) session.subscriptions.set(filter, qos);
  const granted = grants.map((grant) => (typeof grant === 'number' ? refusalOf(client, grant) : grant.qos));
  client.send({ cmd: 'suback', messageId: packet.messageId, granted });
  if (client.isClosed) return;
  for (const { found, filter } of given) session.role.subscribed(found, filter);
}

const refusalOf = ({ version }: MqttClient, reasonCode: number): number => (version === 5 ? reasonCode : FAILURE);

/** A grant, or the reason why there is none. */
async function grantOf(session: Session, { topic: filter, qos }: ISubscription): Promise<Grant | number> {
  const found = findFilter(filter);
  try {
    if (found && (await session.role.maySubscribe(found))) return { filter, found, qos: qos === 0 ? 0 : 1 };
  } catch {
    // Whoever could tell is away: the client may ask again.
    return REASON.implementationSpecific;
  }
  session.role.refused('TOPIC_NOT_ALLOWED: the device may not subscribe to this filter', filter);
  return REASON.notAuthorized;
}
