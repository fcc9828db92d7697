import type { Writable } from 'node:stream';
import type { Device, Platform } from './platform.ts';

/** Writes one line a device: id, name, kind, state, MAC address, serial. */
export async function listDevices(platform: Platform, out: Writable, text: string | undefined): Promise<number> {
  for await (const devices of platform.devices(text)) {
    for (const device of devices) out.write(`${lineOf(device)}\n`);
  }
  return 0;
}

const lineOf = ({ id, name, kind, state, macAddress, serial }: Device): string =>
  [id, name, kind, state, macAddress ?? '-', serial ?? '-'].join('\t');
