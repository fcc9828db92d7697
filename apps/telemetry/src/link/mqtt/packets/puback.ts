import type { IPubackPacket } from 'mqtt-packet';
import type { MqttClient } from '../client.ts';

/** The client has a message of ours, or refuses it. An identifier that we do not know says nothing. */
export function puback({ session }: MqttClient, { messageId, reasonCode }: IPubackPacket): void {
  if (messageId !== undefined) session?.outbound.acknowledge(messageId, reasonCode ?? 0);
}
