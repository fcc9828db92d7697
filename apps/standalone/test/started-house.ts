import type { NestExpressApplication } from '@nestjs/platform-express';
import { rpcServer } from '#messaging';
import { createLogger, createService } from '#platform';
import { tempDir, waitUntil } from '#testing';
import { MqttListeners } from '../../telemetry/src/link/mqtt/mqtt.listeners.ts';
import { readStandaloneConfig } from '../src/config.ts';
import { DataFolder } from '../src/data-folder.ts';
import { StandaloneModule } from '../src/standalone.module.ts';

const ADMIN = { ADMIN_EMAIL: 'admin@example.com', ADMIN_PASSWORD: 'a good long password' };

/** What bodies of replies have; which of it a reply has is what a test says. */
export type Json = Record<string, unknown> & { id: string; items: Record<string, unknown>[] };

export interface Reply {
  status: number;
  headers: Headers;
  text: string;
  /** `{}` for an empty body. */
  body: Json;
}

/** A device with its access token. */
export interface TestDevice {
  id: string;
  name: string;
  token: string;
}

/** The whole house in one process, as `npm start` has it, on free ports. */
export interface StartedHouse {
  app: NestExpressApplication;
  url: string;
  httpPort: number;
  mqttPort: number;
  /** The administrator's header. */
  authorization: string;
  /** A body is sent as JSON, a text as it is; `more` are headers. */
  call(request: `${string} /${string}`, body?: unknown, more?: Record<string, string>): Promise<Reply>;
  /** The body of a reply to the administrator. @throws Error unless its status is below 300. */
  asAdmin(request: `${string} /${string}`, body?: unknown, more?: Record<string, string>): Promise<Json>;
  newDevice(more?: Record<string, unknown>): Promise<TestDevice>;
  /** The newest readings of a device by sensor, once there are as many as are asked for: what is durable is not stored at once. */
  latest(deviceId: string, sensors: number): Promise<Record<string, { ts: number; value: unknown }>>;
  stop(): Promise<void>;
}

export async function startHouse(env: Record<string, string> = {}): Promise<StartedHouse> {
  const data = await tempDir();
  const config = readStandaloneConfig(['--no-demo'], {
    ...ADMIN,
    DATA_DIR: data.path,
    HOST: '127.0.0.1',
    MQTT_PORT: '0',
    ...env,
  });
  if (!config) throw new Error('no configuration');
  const logger = createLogger('fieldline', 'silent');
  const folder = new DataFolder(config.DATA_DIR);
  const module = StandaloneModule.register(config, folder, logger);
  const app = await createService({ name: 'fieldline', module, config, logger, rpc: rpcServer });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const mqttPort = app.get(MqttListeners).port ?? 0;

  async function call(request: string, body?: unknown, more: Record<string, string> = {}): Promise<Reply> {
    const [method = '', path = ''] = request.split(/ (.*)/);
    const isGiven = body !== undefined;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...(isGiven && typeof body !== 'string' ? { 'Content-Type': 'application/json' } : {}), ...more },
      ...(isGiven ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (isJson && text !== '' ? JSON.parse(text) : {}) as Json,
    };
  }

  const login = await call('POST /user/login', { email: ADMIN.ADMIN_EMAIL, password: ADMIN.ADMIN_PASSWORD });
  const Authorization = `Bearer ${String(login.body['token'])}`;
  const asAdmin: StartedHouse['asAdmin'] = async (request, body, more = {}) => {
    const reply = await call(request, body, { Authorization, ...more });
    if (reply.status < 300) return reply.body;
    throw new Error(`${request}: ${String(reply.status)} ${reply.text}`);
  };
  let devices = 0;
  const newDevice: StartedHouse['newDevice'] = async (more = {}) => {
    devices += 1;
    const { id, name } = await asAdmin('POST /api/devices', { name: `device ${String(devices)}`, ...more });
    const { accessToken } = await asAdmin(`POST /api/devices/${id}/credentials`, { kind: 'access-token' });
    return { id, name: String(name), token: String(accessToken) };
  };
  const latest: StartedHouse['latest'] = (deviceId, sensors) =>
    waitUntil(
      async () => {
        const found = (await asAdmin(`GET /api/devices/${deviceId}/latest`)) as unknown;
        const bySensor = found as Record<string, { ts: number; value: unknown }>;
        return Object.keys(bySensor).length >= sensors && bySensor;
      },
      { what: `${String(sensors)} sensors of the device are there` },
    );
  return {
    app,
    url,
    httpPort: Number(new URL(url).port),
    mqttPort,
    authorization: Authorization,
    call,
    asAdmin,
    newDevice,
    latest,
    stop: async () => {
      await app.close();
      folder.release();
      await data.remove();
    },
  };
}
