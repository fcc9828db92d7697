import 'reflect-metadata';
import { FirstAdministrator } from '../../auth/src/first-administrator/first-administrator.ts';
import { MqttListeners } from '../../telemetry/src/link/mqtt/mqtt.listeners.ts';
import { rpcServer } from '#messaging';
import { configOrExit, createLogger, runService } from '#platform';
import { banner } from './banner.ts';
import { readStandaloneConfig, USAGE, type StandaloneConfig } from './config.ts';
import { DataFolder, DataFolderError } from './data-folder.ts';
import { StandaloneModule } from './standalone.module.ts';

const given = configOrExit(() => readStandaloneConfig(process.argv.slice(2), process.env));
if (given) await start(given);
else process.stdout.write(USAGE);

async function start(config: StandaloneConfig): Promise<void> {
  const logger = createLogger('fieldline', config.LOG_LEVEL);
  const folder = openFolder(config.DATA_DIR);
  const module = StandaloneModule.register(config, folder, logger);
  const app = await runService({ name: 'fieldline', module, config, logger, rpc: rpcServer });
  const { port } = app.getHttpServer().address() as { port: number };
  const url = `http://localhost:${String(port)}`;
  // What simulates devices is a sixteenth of the memory: it is there where it is used.
  const demo = config.demo && config.DEBUG_PROVISIONING ? await import('./demo.ts') : undefined;
  process.stdout.write(
    banner({
      url,
      mqtt: mqttOf(app.get(MqttListeners, { strict: false })),
      dataFolder: folder.path,
      admin: await app.get(FirstAdministrator, { strict: false }).ensure(),
      demoDevices: demo?.DEMO_DEVICES ?? 0,
      debugProvisioning: config.DEBUG_PROVISIONING,
    }),
  );
  await demo?.startDemo(url, logger);
}

/** Where devices reach MQTT, or why they do not. */
function mqttOf({ port, problem }: MqttListeners): string {
  if (port !== undefined) return `mqtt://localhost:${String(port)}`;
  return problem === undefined ? 'off' : `off: ${problem}, set MQTT_PORT to another one`;
}

function openFolder(path: string): DataFolder {
  try {
    return new DataFolder(path);
  } catch (error) {
    if (!(error instanceof DataFolderError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
