import { connect, type IClientOptions, type IPublishPacket, type MqttClient, type Packet } from 'mqtt';
import { z } from 'zod';
import type { House } from './house.ts';

const open = new Set<MqttClient>();

/** How long anything may take, in ms. */
const PATIENCE_MS = 10_000;

/** A message as a client got it. */
export interface Message {
  topic: string;
  text: string;
  qos: number;
}

/** Why a connection was refused: the return code of version 3, or the reason code of version 5. */
export class RefusedConnection extends Error {
  constructor(readonly reasonCode: number) {
    super(`the connection was refused with ${String(reasonCode)}`);
  }
}

/** An ordinary client that is connected and does not connect again. Throws {@link RefusedConnection}. */
export async function mqttTo(url: string, options: IClientOptions): Promise<MqttClient> {
  const client = connect(url, { reconnectPeriod: 0, connectTimeout: PATIENCE_MS, protocolVersion: 5, ...options });
  open.add(client);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', (error) => {
      reject('code' in error && typeof error.code === 'number' ? new RefusedConnection(error.code) : error);
    });
    client.once('close', () => reject(new Error(`${url} closed the connection`)));
  });
  client.on('error', () => undefined);
  return client;
}

/** As {@link mqttTo}, through the gateway, with an access token. */
export const mqttOf = (house: House, token: string, options: IClientOptions = {}): Promise<MqttClient> =>
  mqttTo(house.mqttUrl, { username: token, ...options });

/** Where MQTT over WebSocket is at an address. */
export const webSocketOf = (base: string): string => `${base.replace(/^http/, 'ws')}/mqtt`;

/** Publishes with QoS 1; resolves with the PUBACK. */
export function publish(
  client: MqttClient,
  topic: string,
  payload: unknown,
  userProperties?: Record<string, string>,
): Promise<Packet | undefined> {
  const text = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
  const properties = userProperties ? { properties: { userProperties } } : {};
  return within(
    `the acknowledgement of what was published on ${topic}`,
    new Promise((resolve, reject) => {
      let puback: Packet | undefined;
      const hear = (packet: Packet): void => {
        if (packet.cmd === 'puback') puback = packet;
      };
      client.on('packetreceive', hear);
      client.publish(topic, text, { qos: 1, ...properties }, (error) => {
        client.off('packetreceive', hear);
        if (error) reject(error);
        else resolve(puback);
      });
    }),
  );
}

/** The reason code with which a subscription is refused. */
export async function refusedSubscription(client: MqttClient, filter: string): Promise<number | undefined> {
  const error: unknown = await client.subscribeAsync(filter, { qos: 1 }).catch((refusal: unknown) => refusal);
  const granted = typeof error === 'object' && error !== null && 'packet' in error ? error.packet : undefined;
  return z.object({ granted: z.tuple([z.number()]) }).safeParse(granted).data?.granted[0];
}

/** What came in on a client since it was made so. */
export function inboxOf(client: MqttClient): Message[] {
  const inbox: Message[] = [];
  client.on('message', (topic: string, payload: Buffer, { qos }: IPublishPacket) => {
    inbox.push({ topic, text: payload.toString(), qos });
  });
  return inbox;
}

/** The next message that the client gets. */
export const nextMessage = (client: MqttClient): Promise<Message> =>
  within(
    'a message',
    new Promise((resolve) => {
      client.once('message', (topic, payload, { qos }) => resolve({ topic, text: payload.toString(), qos }));
    }),
  );

/** The reason with which the server ends the connection (version 5); undefined where it says none. */
export const ended = (client: MqttClient): Promise<number | undefined> =>
  within(
    'the end of a connection',
    new Promise((resolve) => {
      let reason: number | undefined;
      client.once('disconnect', ({ reasonCode }) => (reason = reasonCode));
      client.once('close', () => resolve(reason));
    }),
  );

/** Ends every client that a test left connected. */
export function endAllMqtt(): void {
  for (const client of open) client.end(true);
  open.clear();
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${String(PATIENCE_MS)} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
