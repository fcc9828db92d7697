import type { Schema } from '#sql';

/** Everything that provisioning keeps. */
export const PROVISIONING_SCHEMA: Schema = {
  entities: [],
  migrations: [],
};
