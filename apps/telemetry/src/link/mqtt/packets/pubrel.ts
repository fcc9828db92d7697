import type { IPubrelPacket } from 'mqtt-packet';
import type { MqttClient } from '../client.ts';
import { REASON } from '../reason-codes.ts';

/** The client has our PUBREC: its identifier may be used again [MQTT-4.3.3-11]. One that is not in use is answered all the same. */
export function pubrel(client: MqttClient, { messageId }: IPubrelPacket): void {
  if (messageId === undefined) return;
  const wasInUse = client.session?.release(messageId) ?? false;
  const reasonCode = wasInUse ? REASON.success : REASON.packetIdentifierNotFound;
  client.send({ cmd: 'pubcomp', messageId, reasonCode });
}
