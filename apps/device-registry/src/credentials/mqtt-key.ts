import { createHash } from 'node:crypto';

/**
 * What credentials of MQTT are found by: SHA-256, hexadecimal, of the client id and the user name, empty where any is let in. Unique, so that no
 * two devices share one.
 */
export const mqttKey = (clientId: string, userName: string): string =>
  createHash('sha256')
    .update(JSON.stringify(['mqtt', clientId, userName]))
    .digest('hex');
