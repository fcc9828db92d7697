import type { IPubrecPacket } from 'mqtt-packet';
import type { MqttClient } from '../client.ts';
import { REASON } from '../reason-codes.ts';

/** The answer to a message of QoS 2, which we never send: its identifier is not known [MQTT-4.3.3-4]. */
export function pubrec(client: MqttClient, { messageId }: IPubrecPacket): void {
  client.send({ cmd: 'pubrel', messageId, reasonCode: REASON.packetIdentifierNotFound });
}
