import { createRequire } from 'node:module';
import { FieldlineDevice } from '../src/device.ts';

/** A process that makes a device of the transport argv[2], has it try to connect once, and says how many files of the library `mqtt` are loaded. */
const device = new FieldlineDevice({
  url: 'http://127.0.0.1:9',
  mqttUrl: 'mqtt://127.0.0.1:9',
  transport: process.argv[2] === 'mqtt' ? 'mqtt' : 'socket',
  token: 't',
});
const failed = new Promise((resolve) => device.once('connect-failed', resolve));
await device.connect();
await failed;
await device.close();
const { cache } = createRequire(import.meta.url);
process.stdout.write(String(Object.keys(cache).filter((path) => path.includes('/node_modules/mqtt/')).length));
