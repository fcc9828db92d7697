import type { MqttClient } from '../client.ts';

const PINGRESP = Buffer.from([0xd0, 0]);

/** [MQTT-3.12.4-1] */
export function pingreq(client: MqttClient): void {
  client.write(PINGRESP);
}
