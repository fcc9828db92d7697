import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { join } from 'node:path';
import { CLOCK, LOGGER, type Log, type ServiceConfig } from '#platform';
import { SqlModule } from '#sql';
import { AttributeStore } from './attributes/attribute-store.ts';
import { AttributesController } from './attributes/attributes.controller.ts';
import { AttributesDelivery } from './attributes/attributes-delivery.ts';
import { Attributes } from './attributes/attributes.service.ts';
import { PeoplesAttributes } from './attributes/peoples-attributes.service.ts';
import { DeviceAccess } from './authorise/device-access.ts';
import { CommandDelivery } from './commands/command-delivery.ts';
import { COMMAND_HISTORY_MS, CommandHousekeeping } from './commands/command-housekeeping.ts';
import { CommandSteps } from './commands/command-steps.ts';
import { CommandStore } from './commands/command-store.ts';
import { CommandWaiters } from './commands/command-waiters.ts';
import { CommandsController } from './commands/commands.controller.ts';
import { CommandMetrics } from './commands/commands.metrics.ts';
import { Commands } from './commands/commands.service.ts';
import type { Storage, TelemetryConfig, TelemetryRole } from './config.ts';
import { TELEMETRY } from './data-source-name.ts';
import {
  FIRMWARE_OF_DEVICES,
  FIRMWARE_OF_PEOPLE,
  FIRMWARE_PROVIDERS,
  FIRMWARE_WORK,
} from './firmware/firmware.providers.ts';
import { DeviceApiController } from './device-api/device-api.controller.ts';
import { deviceApiProviders } from './device-api/device-api.providers.ts';
import { FIRMWARE_MAX_BYTES } from './firmware/package-uploads.ts';
import { FirstReadings } from './ingest/first-readings.ts';
import { IngestLimits } from './ingest/ingest-limits.ts';
import { Ingest } from './ingest/ingest.ts';
import { RateLimit } from './ingest/rate-limit.ts';
import { TelemetryController } from './ingest/telemetry.controller.ts';
import { TelemetryGateway } from './ingest/telemetry.gateway.ts';
import { Connections } from './link/connections.ts';
import { DeviceLinks } from './link/device-links.ts';
import { DeviceSockets } from './link/device-sockets.ts';
import { Replica } from './link/replica.ts';
import { MqttEndpoint } from './link/mqtt/mqtt.endpoint.ts';
import { MQTT_LISTENERS, MqttListeners, type MqttListenerOptions } from './link/mqtt/mqtt.listeners.ts';
import { MqttMetrics } from './link/mqtt/mqtt.metrics.ts';
import { Relay } from './link/mqtt/relay.ts';
import { DeviceEvents } from './live/device-events.ts';
import { JobFollowers } from './live/job-followers.ts';
import { LiveGateway } from './live/live.gateway.ts';
import { RolloutFollowers } from './live/rollout-followers.ts';
import { Viewers } from './live/viewers.ts';
import { ConnectionStore } from './presence/connection-store.ts';
import { ConnectionController } from './presence/connection.controller.ts';
import { InactivityTimes } from './presence/inactivity-times.ts';
import { PeoplesConnections } from './presence/peoples-connections.service.ts';
import { PRESENCE_HISTORY_MS, PresenceWatch } from './presence/presence-watch.ts';
import { Presence } from './presence/presence.service.ts';
import { DeadLettersController } from './query/dead-letters.controller.ts';
import { ReadingsController } from './query/readings.controller.ts';
import { ReadingsService } from './query/readings.service.ts';
import { GroupCommit } from './reading-log/group-commit.ts';
import { READING_LOG, type ReadingLog } from './reading-log/reading-log.ts';
import { READING_STORE, type ReadingStore } from './reading-store/reading-store.ts';
import { TELEMETRY_SCHEMA } from './schema.ts';
import { IS_WRITER, TelemetryLifecycle } from './telemetry.lifecycle.ts';
import { TelemetryMetrics } from './telemetry.metrics.ts';
import { ReadingWriter } from './writer/writer.ts';

const MS_PER_DAY = 86_400_000;
/** The port that MQTT is registered for. */
const MQTT_PORT = 1883;

/** What each role adds to a replica. */
const ROLE_PARTS: Record<
  TelemetryRole,
  { controllers: NonNullable<DynamicModule['controllers']>; providers: Provider[] }
> = {
  ingress: {
    controllers: [...FIRMWARE_OF_DEVICES.controllers, TelemetryController, DeviceApiController],
    providers: [
      AttributesDelivery,
      ...FIRMWARE_OF_DEVICES.providers,
      DeviceSockets,
      TelemetryGateway,
      MqttMetrics,
      Relay,
      MqttEndpoint,
      MqttListeners,
    ],
  },
  writer: { controllers: [], providers: [...FIRMWARE_WORK] },
  query: {
    controllers: [
      ...FIRMWARE_OF_PEOPLE.controllers,
      AttributesController,
      CommandsController,
      ConnectionController,
      ReadingsController,
      DeadLettersController,
    ],
    providers: [...FIRMWARE_OF_PEOPLE.providers, PeoplesAttributes, PeoplesConnections, ReadingsService, LiveGateway],
  },
};

/** Ingestion, the log, the writer, the store, questions and viewers. */
@Module({})
export class TelemetryModule {
  static register(config: TelemetryConfig & MqttAddress, storage: Storage): DynamicModule {
    const parts = config.ROLES.map((role) => ROLE_PARTS[role]);
    return {
      module: TelemetryModule,
      imports: [SqlModule.forSchema(TELEMETRY, storage.databaseUrl, TELEMETRY_SCHEMA, false)],
      controllers: parts.flatMap(({ controllers }) => controllers),
      providers: [
        ...storageProviders(config, storage),
        ...ingestProviders(config),
        { provide: MQTT_LISTENERS, useValue: mqttListenersOf(config, storage) },
        { provide: IS_WRITER, useValue: config.ROLES.includes('writer') },
        {
          provide: ReadingWriter,
          inject: [READING_LOG, READING_STORE, LOGGER, TelemetryMetrics],
          useFactory: (log: ReadingLog, store: ReadingStore, logger: Log, metrics: TelemetryMetrics) =>
            new ReadingWriter(log, store, {
              logger,
              onWrite: (written) => {
                metrics.countWrite(written);
              },
            }),
        },
        DeviceAccess,
        Connections,
        DeviceLinks,
        DeviceEvents,
        Replica,
        ...commandProviders(config),
        ...presenceProviders(config),
        AttributeStore,
        Attributes,
        ...FIRMWARE_PROVIDERS,
        { provide: FIRMWARE_MAX_BYTES, useValue: config.FIRMWARE_MAX_BYTES },
        { provide: CLOCK, useValue: Date.now },
        ...deviceApiProviders(config.RATE_LIMIT),
        Viewers,
        JobFollowers,
        RolloutFollowers,
        TelemetryMetrics,
        TelemetryLifecycle,
        ...parts.flatMap(({ providers }) => providers),
      ],
    };
  }
}

/** Where a service listens, and behind how many proxies. */
type MqttAddress = Pick<ServiceConfig, 'HOST' | 'TRUST_PROXY'>;

/** One process alone goes on without MQTT where nobody has asked for its port and somebody else has it. */
const mqttListenersOf = (config: TelemetryConfig & MqttAddress, { kind }: Storage): MqttListenerOptions => ({
  host: config.HOST,
  port: config.MQTT_PORT === undefined ? MQTT_PORT : config.MQTT_PORT,
  portIsOptional: config.MQTT_PORT === undefined && kind === 'files',
  tlsPort: config.MQTT_TLS_PORT,
  tls: {
    certificate: config.MQTT_TLS_CERT,
    key: config.MQTT_TLS_KEY,
    clientAuthority: config.MQTT_TLS_CLIENT_CA,
  },
  proxyProtocol: config.MQTT_PROXY_PROTOCOL,
  trustedProxies: config.TRUST_PROXY,
});

/** Injection symbol of the log and the store of this replica. */
const STORAGE = Symbol('STORAGE');

interface OpenedStorage {
  log: ReadingLog;
  store: ReadingStore;
}

/** The adapters are loaded when they are chosen: one process alone need not carry the drivers of servers that it does not have. */
async function openStorage(config: TelemetryConfig, storage: Storage, logger: Log): Promise<OpenedStorage> {
  const maxBytes = config.LOG_MAX_BYTES;
  if (storage.kind === 'files') {
    const { SqliteReadingLog } = await import('./reading-log/sqlite.adapter.ts');
    const { SqliteReadingStore } = await import('./reading-store/sqlite.adapter.ts');
    return {
      log: new SqliteReadingLog({ file: join(storage.folder, 'readings.log.db'), maxBytes, logger }),
      store: new SqliteReadingStore({ file: join(storage.folder, 'readings.db'), logger }),
    };
  }
  const { JetStreamReadingLog } = await import('./reading-log/jetstream.adapter.ts');
  const { MongoReadingStore } = await import('./reading-store/mongo.adapter.ts');
  return {
    log: new JetStreamReadingLog({ servers: storage.natsUrl, maxBytes, replicas: storage.logReplicas, logger }),
    store: new MongoReadingStore({ url: storage.mongodbUrl, logger }),
  };
}

const storageProviders = (config: TelemetryConfig, storage: Storage): Provider[] => [
  { provide: STORAGE, inject: [LOGGER], useFactory: (logger: Log) => openStorage(config, storage, logger) },
  { provide: READING_LOG, inject: [STORAGE], useFactory: ({ log }: OpenedStorage) => log },
  { provide: READING_STORE, inject: [STORAGE], useFactory: ({ store }: OpenedStorage) => store },
];

/** Whatever a replica does, it may hold a link, or somebody may wait for a device on it. */
const commandProviders = (config: TelemetryConfig): Provider[] => [
  { provide: COMMAND_HISTORY_MS, useValue: config.COMMAND_HISTORY_DAYS * MS_PER_DAY },
  CommandMetrics,
  CommandStore,
  CommandSteps,
  CommandDelivery,
  CommandWaiters,
  Commands,
  CommandHousekeeping,
];

const presenceProviders = (config: TelemetryConfig): Provider[] => [
  { provide: PRESENCE_HISTORY_MS, useValue: config.PRESENCE_HISTORY_DAYS * MS_PER_DAY },
  ConnectionStore,
  InactivityTimes,
  Presence,
  PresenceWatch,
];

const ingestProviders = (config: TelemetryConfig): Provider[] => [
  { provide: RateLimit, useFactory: () => new RateLimit(config.RATE_LIMIT) },
  IngestLimits,
  FirstReadings,
  {
    provide: GroupCommit,
    inject: [READING_LOG, TelemetryMetrics],
    useFactory: (log: ReadingLog, metrics: TelemetryMetrics) => new GroupCommit(metrics.timeAppends(log)),
  },
  {
    provide: Ingest,
    inject: [GroupCommit, DeviceAccess, Viewers, FirstReadings, IngestLimits],
    useFactory: (
      groups: GroupCommit,
      access: DeviceAccess,
      viewers: Viewers,
      firstReadings: FirstReadings,
      limits: IngestLimits,
    ) =>
      new Ingest({
        append: (entry) => groups.append(entry),
        authorise: (principal, device) => access.authorise(principal, device, 'write'),
        home: (principal) => access.home(principal),
        tell: (entry) => {
          viewers.tell(entry);
        },
        heard: (device) => {
          firstReadings.heard(device);
        },
        count: (accepted, rejected) => {
          limits.count(accepted, rejected);
        },
        now: Date.now,
        retentionMs: config.RETENTION_DAYS * MS_PER_DAY,
      }),
  },
];
