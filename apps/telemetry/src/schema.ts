import type { Schema } from '#sql';
import { AttributeEntity, TwinEntity } from './attributes/attribute.entity.ts';
import { Attributes1767225600203 } from './migrations/0003-attributes.ts';

/** What telemetry keeps in its SQL database: presence, commands, attributes, packages of firmware. */
export const TELEMETRY_SCHEMA: Schema = {
  entities: [TwinEntity, AttributeEntity],
  migrations: [Attributes1767225600203],
};
