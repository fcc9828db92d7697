import type { Schema } from '#sql';
import { CredentialEntity } from './credentials/credential.entity.ts';
import { CustomerEntity } from './customers/customer.entity.ts';
import { DeviceEntity, DeviceLabelEntity, DeviceTermEntity } from './devices/device.entity.ts';
import { Customers1767225600001 } from './migrations/0001-customers.ts';
import { Devices1767225600002 } from './migrations/0002-devices.ts';
import { DeviceLabels1767225600003 } from './migrations/0003-device-labels.ts';
import { DeviceTerms1767225600004 } from './migrations/0004-device-terms.ts';
import { Credentials1767225600005 } from './migrations/0005-credentials.ts';

/** Everything that the registry keeps. */
export const REGISTRY_SCHEMA = {
  entities: [CustomerEntity, DeviceEntity, DeviceLabelEntity, DeviceTermEntity, CredentialEntity],
  migrations: [
    Customers1767225600001,
    Devices1767225600002,
    DeviceLabels1767225600003,
    DeviceTerms1767225600004,
    Credentials1767225600005,
  ],
} satisfies Schema;
