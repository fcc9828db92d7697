import { readFileSync } from 'node:fs';

/** Where the serial number of a board is found, as the device tree has it (a Raspberry Pi's for instance). */
const SERIAL_FILE = '/proc/device-tree/serial-number';

/** The serial number of this machine, if it tells. */
export function machineSerial(file = SERIAL_FILE): string | undefined {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', '').trim() || undefined;
  } catch {
    return undefined;
  }
}
