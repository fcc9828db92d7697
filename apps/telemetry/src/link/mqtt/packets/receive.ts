import type { Packet } from 'mqtt-packet';
import type { MqttClient } from '../client.ts';
import { auth } from './auth.ts';
import { disconnect } from './disconnect.ts';
import { pingreq } from './pingreq.ts';
import { puback } from './puback.ts';
import { pubrec } from './pubrec.ts';
import { pubrel } from './pubrel.ts';
import { subscribe } from './subscribe.ts';
import { unsubscribe } from './unsubscribe.ts';

/** Takes any packet but CONNECT and PUBLISH of a client that was let in; whatever a client does not send, the codec has refused. */
export function receive(client: MqttClient, packet: Packet): void {
  switch (packet.cmd) {
    case 'puback':
      puback(client, packet);
      break;
    case 'pubrec':
      pubrec(client, packet);
      break;
    case 'pubrel':
      pubrel(client, packet);
      break;
    case 'subscribe':
      void subscribe(client, packet);
      break;
    case 'unsubscribe':
      unsubscribe(client, packet);
      break;
    case 'pingreq':
      pingreq(client);
      break;
    case 'disconnect':
      disconnect(client, packet);
      break;
    case 'auth':
      auth(client);
      break;
    // PUBCOMP ends what we never begin: nothing is sent with QoS 2.
    default:
      break;
  }
}
