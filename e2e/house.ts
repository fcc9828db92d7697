import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  freePort,
  freshMysqlDatabase,
  spawnService,
  startMongo,
  startMysql,
  startNats,
  startNginx,
  tempDir,
  waitUntil,
  type ChildProcess,
  type Nginx,
  type OwnServer,
} from '#testing';
import { renderNginx } from '../nginx/render.mjs';

/** A running Fieldline as its users see it, however it is run. */
export interface House {
  /** Where people and devices go, without a slash at the end. */
  url: string;
  /** Addresses of the replicas of telemetry, for clients that are to meet on different ones; `[url]` where there is one. */
  replicas: string[];
  /** Where MQTT is: `mqtt://host:port`. A replica takes it over WebSocket too, at its own `/mqtt`. */
  mqttUrl: string;
  admin: { email: string; password: string };
  /** With what devices ask for a token by their uuid; undefined where nobody may. */
  deviceKeys?: DeviceKeys;
  /** Everything secret that was used so far: none of it may be in a log. */
  secrets: Set<string>;
  /** Undefined for a house that somebody else runs. */
  own?: OwnProcesses;
  stop(): Promise<void>;
}

/** The secret keys of document 002: which one a device has makes it a master or an agent. */
export interface DeviceKeys {
  master: string;
  agent: string;
}

/** The processes of a house that is our own. */
export interface OwnProcesses {
  services: Record<string, ChildProcess>;
  /** Where each service itself listens, past the gateway: `http://127.0.0.1:<port>`. */
  addresses: Record<string, string>;
  /** Where those that take MQTT do so themselves, past the gateway; a service that is not named wants to be told who calls, as the gateway tells it. */
  mqttAddresses: Record<string, string>;
  /** What the services have written since they were started last, and Nginx, each at most the last million characters. */
  logs(): Promise<string>;
}

/** The servers that the suite of services needs. */
export interface Servers {
  mysql: OwnServer;
  mongodb: OwnServer;
  nats: OwnServer;
  nginx: Nginx;
}

/** The four services as processes of their own, telemetry twice, on their servers and behind the real gateway. */
export interface SuiteHouse extends House {
  own: OwnProcesses;
  servers: Servers;
  /** URL of the registry's own database. */
  registryDatabase: string;
}

/** All services in one process. */
export interface EmbeddedHouse extends House {
  own: OwnProcesses;
  dataDir: string;
}

type Environment = Record<string, string | undefined>;

/** What a test run's own houses have in common: nothing of the machine's environment may change what is tested. */
export const NEUTRAL: Environment = {
  SECRET_KEY: undefined,
  ADMIN_EMAIL: undefined,
  ADMIN_PASSWORD: undefined,
  RATE_LIMIT: undefined,
  SIGNUP: undefined,
  DATA_DIR: undefined,
  MQTT_PORT: 'off',
  MQTT_TLS_CERT: undefined,
  MQTT_TLS_KEY: undefined,
  HOST: '127.0.0.1',
  LOG_LEVEL: 'info',
  SIGNUP_ATTEMPTS: '100000',
  DEBUG_PROVISIONING: 'on',
  PROVISIONING_RATE: '1000000',
  DEVICE_REGISTRATION: undefined,
  LOCATION_URL: undefined,
  LOCATION_MMDB: undefined,
  LOCATION_COUNTRY: 'Iceland',
  LOCATION_STATE: 'Vesturland',
  LOCATION_LATITUDE: '64.54',
  LOCATION_LONGITUDE: '-21.92',
};

const newSecret = (): string => randomBytes(24).toString('base64url');

const newDeviceKeys = (): DeviceKeys => ({ master: newSecret(), agent: newSecret() });

const environmentOf = ({ master, agent }: DeviceKeys): Environment => ({
  DEVICE_MASTER_SECRET_KEY: master,
  DEVICE_AGENT_SECRET_KEY: agent,
});

const newAdministrator = (): House['admin'] => ({ email: 'admin@fieldline.example', password: newSecret() });

/** Starts everything; ended with the test file at the latest. */
export async function startSuite(environment: Environment = {}): Promise<SuiteHouse> {
  const [mysql, mongodb, nats] = await Promise.all([startMysql(), startMongo(), startNats()]);
  const admin = newAdministrator();
  const secretKey = newSecret();
  const deviceKeys = newDeviceKeys();
  const ours = { ...NEUTRAL, ...environmentOf(deviceKeys) };
  const common = { ...ours, NATS_URL: nats.url, SECRET_KEY: secretKey, ...environment };
  const databaseUrl = async (): Promise<string> => (await freshMysqlDatabase(mysql.url)).url;
  const registryDatabase = await databaseUrl();
  const telemetry = {
    DATABASE_URL: await databaseUrl(),
    MONGODB_URL: `${mongodb.url}/readings`,
    MQTT_PROXY_PROTOCOL: 'on',
  };
  const mqttListen = `127.0.0.1:${await freePort()}`;
  const mqttPorts = [String(await freePort()), String(await freePort())];
  const definitions: Record<string, { app: string; env: Environment }> = {
    auth: {
      app: 'auth',
      env: { DATABASE_URL: await databaseUrl(), ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password },
    },
    'device-registry': { app: 'device-registry', env: { DATABASE_URL: registryDatabase } },
    provisioning: {
      app: 'provisioning',
      env: { DATABASE_URL: await databaseUrl(), MQTT_PUBLIC_ADDRESS: mqttListen },
    },
    'telemetry-1': { app: 'telemetry', env: { ...telemetry, MQTT_PORT: mqttPorts[0] } },
    'telemetry-2': { app: 'telemetry', env: { ...telemetry, MQTT_PORT: mqttPorts[1] } },
  };
  const started = await Promise.all(
    Object.entries(definitions).map(async ([name, { app, env }]) => {
      const port = await freePort();
      const service = await startService(name, app, port, { ...common, ...env });
      return { name, app, service, address: `127.0.0.1:${port}` };
    }),
  );
  const addressesOf = (app: string) => started.filter((service) => service.app === app).map(({ address }) => address);
  const nginx = await startGateway(mqttListen, {
    auth: addressesOf('auth'),
    'device-registry': addressesOf('device-registry'),
    provisioning: addressesOf('provisioning'),
    telemetry: addressesOf('telemetry'),
    mqtt: mqttPorts.map((port) => `127.0.0.1:${port}`),
  });
  const services = Object.fromEntries(started.map(({ name, service }) => [name, service]));
  return {
    url: nginx.url,
    replicas: addressesOf('telemetry').map((address) => `http://${address}`),
    mqttUrl: `mqtt://${mqttListen}`,
    admin,
    deviceKeys,
    secrets: new Set([admin.password, secretKey, ...Object.values(deviceKeys)]),
    own: {
      services,
      addresses: Object.fromEntries(started.map(({ name, address }) => [name, `http://${address}`])),
      mqttAddresses: {},
      logs: async () => `${outputsOf(services)}\n${await gatewayLog(nginx)}`,
    },
    servers: { mysql, mongodb, nats, nginx },
    registryDatabase,
    stop: async () => {
      await nginx.stop();
      await Promise.all(Object.values(services).map((service) => service.stop()));
      await Promise.all([mysql, mongodb, nats].map((server) => server.stop()));
    },
  };
}

/** What `npm run build` makes of an app. */
export const programOf = (app: string): string => `dist/apps/${app}/src/main.js`;

/** One service as it is built; it is ready when it says so. */
const startService = (name: string, app: string, port: number, env: Environment, args: string[] = []) =>
  spawnService({
    name,
    script: programOf(app),
    args,
    env: { ...env, PORT: String(port) },
    readyUrl: `http://127.0.0.1:${port}/health/ready`,
    readyTimeoutMs: 60_000,
  });

async function startGateway(
  mqttListen: string,
  upstreams: Parameters<typeof renderNginx>[0]['upstreams'],
): Promise<Nginx> {
  const { path: dir } = await tempDir();
  const port = await freePort();
  const configText = renderNginx({ listen: `127.0.0.1:${port}`, mqttListen, upstreams, tempDir: dir });
  return startNginx({ port, dir, configText });
}

const gatewayLog = async (nginx: Nginx): Promise<string> =>
  `${nginx.process.output}\n${await readFile(`${nginx.dir}/access.log`, 'utf8')}`;

const outputsOf = (services: Record<string, ChildProcess>): string =>
  Object.values(services)
    .map(({ output }) => output)
    .join('\n');

export interface EmbeddedOptions {
  environment?: Environment;
  /** Default: a new folder. */
  dataDir?: string;
  args?: string[];
  port?: number;
  mqttPort?: number;
}

/** The embedded mode as it is built, without its simulated devices. */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedHouse> {
  const { environment = {}, args = ['--no-demo'] } = options;
  const dataDir = options.dataDir ?? (await tempDir()).path;
  const port = options.port ?? (await freePort());
  const admin = newAdministrator();
  const deviceKeys = newDeviceKeys();
  const ours = { ...NEUTRAL, ...environmentOf(deviceKeys) };
  const mqttPort = options.mqttPort ?? (await freePort());
  const env = {
    ...ours,
    DATA_DIR: dataDir,
    ADMIN_EMAIL: admin.email,
    ADMIN_PASSWORD: admin.password,
    MQTT_PORT: String(mqttPort),
  };
  const service = await startService('standalone', 'standalone', port, { ...env, ...environment }, args);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    replicas: [url],
    mqttUrl: `mqtt://127.0.0.1:${mqttPort}`,
    admin,
    deviceKeys,
    dataDir,
    secrets: new Set([admin.password, ...Object.values(deviceKeys)]),
    own: {
      services: { standalone: service },
      addresses: { standalone: url },
      mqttAddresses: { standalone: `mqtt://127.0.0.1:${mqttPort}` },
      logs: () => Promise.resolve(service.output),
    },
    stop: async () => {
      await service.stop();
    },
  };
}

/**
 * A house that somebody else runs: E2E_URL (and E2E_MQTT_URL where MQTT is not on port 1883 of the same host), E2E_ADMIN_EMAIL and E2E_ADMIN_PASSWORD in the environment, and where devices ask by their uuid,
 * its DEVICE_MASTER_SECRET_KEY and DEVICE_AGENT_SECRET_KEY.
 */
export async function remoteHouse(environment: NodeJS.ProcessEnv): Promise<House> {
  const { E2E_URL: url = '', E2E_ADMIN_EMAIL: email, E2E_ADMIN_PASSWORD: password } = environment;
  if (email === undefined || password === undefined) {
    throw new Error('E2E_URL is set: E2E_ADMIN_EMAIL and E2E_ADMIN_PASSWORD are needed with it');
  }
  const { DEVICE_MASTER_SECRET_KEY: master, DEVICE_AGENT_SECRET_KEY: agent } = environment;
  const house = url.replace(/\/+$/, '');
  await waitUntil(async () => (await fetch(`${house}/.well-known/jwks.json`)).ok, {
    what: `${house} answers`,
    timeoutMs: 60_000,
  });
  return {
    url: house,
    replicas: [house],
    mqttUrl: environment['E2E_MQTT_URL'] ?? `mqtt://${new URL(house).hostname}:1883`,
    admin: { email, password },
    ...(master !== undefined && agent !== undefined ? { deviceKeys: { master, agent } } : {}),
    secrets: new Set([password]),
    stop: () => Promise.resolve(),
  };
}
