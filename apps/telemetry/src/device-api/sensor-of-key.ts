import { SENSOR_NAME } from '#contracts';

/** A character that no sensor's name may have, or a slash that could be taken for the start of an escape. */
const ESCAPED = /[^A-Za-z0-9_.:/-]+|\/(?=:[0-9A-F]{2})/gu;
const ESCAPE = /\/:([0-9A-F]{2})/;
const ESCAPES = /(?:\/:[0-9A-F]{2})+/g;

/**
 * The sensor that ThingsBoard's key stands for: the key itself where it can be a sensor's name; otherwise every byte (UTF-8) that none
 * may have is written as `/:` and two hexadecimal digits. `CPU %` is the sensor `CPU/:20/:25`. No two keys are the same sensor.
 * What cannot be a name even then is left for ingestion to refuse: too long a key, one that is not Unicode, an empty one.
 */
export const sensorOfKey = (key: string): string =>
  (SENSOR_NAME.test(key) && !ESCAPE.test(key)) || !key.isWellFormed() ? key : key.replace(ESCAPED, escape);

/** The key that {@link sensorOfKey} made a sensor of. */
export const keyOfSensor = (sensor: string): string =>
  sensor.replace(ESCAPES, (escapes) => Buffer.from(escapes.replaceAll('/:', ''), 'hex').toString('utf8'));

function escape(text: string): string {
  let escaped = '';
  for (const byte of Buffer.from(text)) escaped += `/:${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return escaped;
}
