import { createServer, type AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import type { Authenticated } from '#access';
import { CodedError, type DevicePrincipal } from '#contracts';
import type { Bus } from '#messaging';
import { createLogger, uuid7 } from '#platform';
import { Connection } from '../../src/link/connections.ts';
import { DeviceLinks } from '../../src/link/device-links.ts';
import { MqttClient } from '../../src/link/mqtt/client.ts';
import type { ConnectionNote, MqttServices } from '../../src/link/mqtt/mqtt-services.ts';
import { MqttMetrics } from '../../src/link/mqtt/mqtt.metrics.ts';
import { SocketWire } from '../../src/link/mqtt/wire.ts';
import { RawMqtt, type Version } from './raw-mqtt.ts';

/** Sessions of MQTT over real connections, with nothing behind them but what a test puts there. Every user name is a device of its own. */
export interface StartedEndpoint {
  port: number;
  clients: Set<MqttClient>;
  links: DeviceLinks;
  notes: { deviceId: string; note: ConnectionNote }[];
  metrics: Registry;
  idOf(userName: string): string;
  connect(version: Version, userName: string, more?: Parameters<RawMqtt['connect']>[0]): Promise<RawMqtt>;
  stop(): Promise<void>;
}

const ids = new Map<string, string>();

export function idOf(userName: string): string {
  const id = ids.get(userName) ?? uuid7();
  ids.set(userName, id);
  return id;
}

const principalOf = (userName: string): DevicePrincipal => ({
  kind: 'device',
  credentialId: idOf(`credential of ${userName}`),
  expiresAt: null,
  device: {
    id: idOf(userName),
    name: userName,
    kind: 'direct',
    customerId: null,
    ownerId: null,
    masterId: null,
    profileId: null,
    state: 'active',
  },
});

export async function startEndpoint(
  bus: Bus,
  handlers: MqttServices['handlers'],
  more: Partial<MqttServices> = {},
): Promise<StartedEndpoint> {
  const registry = new Registry();
  const links = new DeviceLinks(bus);
  const clients = new Set<MqttClient>();
  const notes: StartedEndpoint['notes'] = [];
  const services: MqttServices = {
    authenticator: {
      authenticate: (presented): Promise<Authenticated> =>
        presented?.kind === 'mqtt' && presented.userName !== undefined
          ? Promise.resolve({ principal: principalOf(presented.userName), expiresAt: null })
          : Promise.reject(new CodedError('UNAUTHENTICATED', 'who is it?')),
    },
    connections: {
      add: (authenticated, presented, end) => new Connection(authenticated, presented, end),
      remove: (connection) => {
        connection.forget();
      },
    },
    links,
    handlers,
    provision: undefined,
    isPair: () => Promise.resolve(false),
    count: () => undefined,
    note: (deviceId, note) => notes.push({ deviceId, note }),
    keepWill: (deviceId, note) => notes.push({ deviceId, note }),
    budget: { bytes: 0 },
    metrics: new MqttMetrics({ registry }),
    log: createLogger('mqtt', 'silent'),
    now: Date.now,
    ...more,
  };
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    clients.add(
      new MqttClient(new SocketWire(socket, 'TCP'), { address: '127.0.0.1' }, services, (gone) => clients.delete(gone)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    clients,
    links,
    notes,
    metrics: registry,
    idOf,
    connect: async (version, userName, connect = {}) =>
      (await RawMqtt.connected(port, version, { username: userName, ...connect })).client,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const client of clients) client.wire.destroy();
      await closed;
    },
  };
}
