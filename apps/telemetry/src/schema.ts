import type { Schema } from '#sql';

/** What telemetry keeps in its SQL database: presence, commands, attributes, packages of firmware. */
export const TELEMETRY_SCHEMA: Schema = {
  entities: [],
  migrations: [],
};
