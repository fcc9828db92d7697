import type { IDisconnectPacket } from 'mqtt-packet';
import type { MqttClient } from '../client.ts';
import { REASON } from '../reason-codes.ts';

/** The client goes: its will goes with it, unless it says otherwise (MQTT 5 section 3.14.2.1). */
export function disconnect(client: MqttClient, { reasonCode, properties }: IDisconnectPacket): void {
  // The session of our CONNACK expires at once: it cannot be made to last [MQTT-3.14.2-2].
  if ((properties?.sessionExpiryInterval ?? 0) > 0)
    client.disconnect(REASON.protocolError, 'The session expiry interval of the CONNACK was 0.');
  else client.goodbye(reasonCode ?? REASON.success);
}
