import type { Schema } from '#sql';
import { AttributeEntity, TwinEntity } from './attributes/attribute.entity.ts';
import { CommandCounterEntity, CommandEntity } from './commands/command.entity.ts';
import { Presence1767225600201 } from './migrations/0001-presence.ts';
import { DeviceFirmwareEntity, PackageChunkEntity, PackageEntity, RolloutEntity } from './firmware/firmware.entity.ts';
import { Commands1767225600202 } from './migrations/0002-commands.ts';
import { Attributes1767225600203 } from './migrations/0003-attributes.ts';
import { Firmware1767225600204 } from './migrations/0004-firmware.ts';
import { ConnectionEntity, ConnectionEventEntity, LinkReplicaEntity } from './presence/connection.entity.ts';

/** What telemetry keeps in its SQL database: presence, commands, attributes, packages of firmware. */
export const TELEMETRY_SCHEMA: Schema = {
  entities: [
    LinkReplicaEntity,
    ConnectionEntity,
    ConnectionEventEntity,
    CommandEntity,
    CommandCounterEntity,
    TwinEntity,
    AttributeEntity,
    PackageEntity,
    PackageChunkEntity,
    RolloutEntity,
    DeviceFirmwareEntity,
  ],
  migrations: [Presence1767225600201, Commands1767225600202, Attributes1767225600203, Firmware1767225600204],
};
