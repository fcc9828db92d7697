import type { MqttClient } from '../client.ts';
import { REASON } from '../reason-codes.ts';

/** No CONNECT with an authentication method is let in, so no AUTH may follow [MQTT-4.12.0-6]. */
export function auth(client: MqttClient): void {
  client.disconnect(REASON.protocolError, 'There is no extended authentication here.');
}
