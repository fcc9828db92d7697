import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  accepts,
  describeWith,
  freePort,
  startThingsboardClient,
  tempDir,
  waitUntil,
  type ThingsboardClient,
} from '#testing';
import { startHouse, type StartedHouse, type TestDevice } from './started-house.ts';

const PROGRAM = fileURLToPath(new URL('python/gateway.py', import.meta.url));
const CHILD = 'Meter over TCP';
/** The gateway takes its time: it looks at its connectors and at what it has to send in turns of its own. */
const PATIENCE_MS = 60_000;

/** ThingsBoard's IoT gateway, as it is, with its connector for TCP, which needs nothing else. */
describeWith(['thingsboard-clients'], "ThingsBoard's IoT gateway", () => {
  let house: StartedHouse;
  let device: TestDevice;
  let gateway: ThingsboardClient;
  let meter: Socket;
  let tcpPort: number;

  beforeAll(async () => {
    house = await startHouse();
    device = await house.newDevice({ kind: 'gateway' });
    tcpPort = await freePort();
    const folder = await tempDir();
    const config = `${folder.path}/config`;
    await mkdir(config);
    for (const [name, content] of Object.entries(configuration(house.mqttPort, device.token, tcpPort))) {
      await writeFile(`${config}/${name}`, JSON.stringify(content));
    }
    gateway = await startThingsboardClient(PROGRAM, { TB_GW_CONFIG_DIR: config }, { awaitReady: false });
    await waitUntil(() => accepts(tcpPort), { what: 'the gateway listens for the meter', timeoutMs: PATIENCE_MS });
    meter = connect(tcpPort, '127.0.0.1');
  }, PATIENCE_MS * 2);
  afterAll(async () => {
    meter.destroy();
    await gateway.stop();
    await house.stop();
  });

  const child = () =>
    waitUntil(
      async () => {
        const { items } = await house.asAdmin(`GET /api/devices?master=${device.id}`);
        return items.find(({ name }) => name === CHILD);
      },
      { what: 'the device behind the gateway is there', timeoutMs: PATIENCE_MS },
    );

  const attributesOf = async (id: unknown) =>
    (await house.asAdmin(`GET /api/devices/${String(id)}/attributes`)) as unknown as Record<
      string,
      Record<string, unknown>
    >;

  test(
    'says what it is and how it is configured',
    async () => {
      const client = await waitUntil(
        async () => {
          const { client: said } = await attributesOf(device.id);
          return said?.['Version'] !== undefined && said['general_configuration'] !== undefined && said;
        },
        { what: 'its attributes are there', timeoutMs: PATIENCE_MS },
      );
      expect(client).toMatchObject({
        Version: '3.8.3',
        general_configuration: expect.any(Object),
        active_connectors: ['TCP'],
      });
    },
    PATIENCE_MS,
  );

  test(
    'brings the readings and attributes of the device behind it',
    async () => {
      meter.write('42.5');
      const { id } = await child();
      expect(await house.latest(String(id), 1)).toMatchObject({ power: { value: 42.5 } });
      await waitUntil(async () => (await attributesOf(id))['client']?.['unit'] === '42', {
        what: 'the attribute is there',
        timeoutMs: PATIENCE_MS,
      });
      const connection = () => house.asAdmin(`GET /api/devices/${String(id)}/connection`);
      await waitUntil(async () => (await connection())['online'], { what: 'the device is online' });
      expect((await connection())['via']).toBe('gateway');
    },
    PATIENCE_MS * 2,
  );

  test(
    'takes commands for itself and for the device behind it',
    async () => {
      const ping = await house.asAdmin(`POST /api/devices/${device.id}/commands`, {
        method: 'gateway_ping',
        timeoutMs: 30_000,
      });
      expect(ping).toMatchObject({ status: 'succeeded', result: { code: 200, resp: 'pong' } });
      const { id } = await child();
      const heard: string[] = [];
      meter.on('data', (bytes) => heard.push(bytes.toString()));
      const command = await house.asAdmin(`POST /api/devices/${String(id)}/commands`, {
        method: 'set',
        params: `address=127.0.0.1;port=${String(meter.localPort)};value=switched on`,
        timeoutMs: 30_000,
      });
      expect(command).toMatchObject({ status: 'succeeded', result: { result: 'ok' } });
      await waitUntil(() => heard.join('') === 'switched on', { what: 'the meter was told' });
    },
    PATIENCE_MS * 2,
  );

  test(
    'goes on with a device that was renamed',
    async () => {
      const { id } = await child();
      await house.asAdmin(`PATCH /api/devices/${String(id)}`, { name: 'Meter in the cellar' });
      await waitUntil(() => gateway.process.output.includes('Received renamed gateway device notification'), {
        what: 'the gateway was told',
        timeoutMs: PATIENCE_MS,
      });
      meter.write('43.5');
      await waitUntil(async () => (await house.latest(String(id), 1))['power']?.value === 43.5, {
        what: 'the reading is there',
        timeoutMs: PATIENCE_MS,
      });
      expect((await house.asAdmin(`GET /api/devices?master=${device.id}`)).items).toHaveLength(1);
    },
    PATIENCE_MS * 2,
  );

  test(
    'sends its own statistics',
    async () => {
      await waitUntil(
        async () => Object.keys(await house.asAdmin(`GET /api/devices/${device.id}/latest`)).includes('machineStats'),
        { what: 'its statistics are there', timeoutMs: PATIENCE_MS * 2 },
      );
    },
    PATIENCE_MS * 3,
  );
});

/** The files of a gateway's configuration. */
const configuration = (mqttPort: number, accessToken: string, tcpPort: number): Record<string, object> => ({
  'tb_gateway.json': {
    thingsboard: {
      host: '127.0.0.1',
      port: mqttPort,
      remoteShell: false,
      remoteConfiguration: true,
      statistics: { enable: true, statsSendPeriodInSeconds: 5 },
      checkConnectorsConfigurationInSeconds: 60,
      handleDeviceRenaming: true,
      security: { type: 'accessToken', accessToken },
      qos: 1,
    },
    storage: { type: 'memory', read_records_count: 100, max_records_count: 1_000 },
    grpc: { enabled: false },
    connectors: [{ type: 'socket', name: 'TCP', configuration: 'socket.json' }],
  },
  'logs.json': {
    version: 1,
    disable_existing_loggers: false,
    handlers: { consoleHandler: { class: 'logging.StreamHandler', level: 'INFO', stream: 'ext://sys.stdout' } },
    loggers: {},
    root: { level: 'INFO', handlers: ['consoleHandler'] },
    ts: 0,
  },
  'socket.json': {
    socket: { address: '127.0.0.1', type: 'TCP', port: tcpPort, bufferSize: 1_024 },
    devices: [
      {
        address: '*:*',
        deviceName: CHILD,
        deviceType: 'meter',
        encoding: 'utf-8',
        telemetry: [{ key: 'power', byteFrom: 0, byteTo: -1 }],
        attributes: [{ key: 'unit', byteFrom: 0, byteTo: 2 }],
        attributeRequests: [],
        attributeUpdates: [],
        serverSideRpc: [],
      },
    ],
  },
});
