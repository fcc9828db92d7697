import type { Schema } from '#sql';
import { AssetEntity } from './assets/asset.entity.ts';
import { AuditEntryEntity } from './audit/audit-entry.entity.ts';
import { CredentialEntity } from './credentials/credential.entity.ts';
import { CustomerEntity } from './customers/customer.entity.ts';
import { DeviceEntity, DeviceLabelEntity, DeviceTermEntity } from './devices/device.entity.ts';
import { Customers1767225600001 } from './migrations/0001-customers.ts';
import { Devices1767225600002 } from './migrations/0002-devices.ts';
import { DeviceLabels1767225600003 } from './migrations/0003-device-labels.ts';
import { DeviceTerms1767225600004 } from './migrations/0004-device-terms.ts';
import { Credentials1767225600005 } from './migrations/0005-credentials.ts';
import { Profiles1767225600006 } from './migrations/0006-profiles.ts';
import { DeviceStates1767225600007 } from './migrations/0007-device-states.ts';
import { CredentialKinds1767225600008 } from './migrations/0008-credential-kinds.ts';
import { DevicePeople1767225600009 } from './migrations/0009-device-people.ts';
import { Assets1767225600010 } from './migrations/0010-assets.ts';
import { AuditEntries1767225600011 } from './migrations/0011-audit-entries.ts';
import { RelationCustomers1767225600012 } from './migrations/0012-relation-customers.ts';
import { DeviceLists1767225600013 } from './migrations/0013-device-lists.ts';
import { RelationLists1767225600014 } from './migrations/0014-relation-lists.ts';
import { TermsByKey1767225600015 } from './migrations/0015-terms-by-key.ts';
import { TalkingDevices1767225600016 } from './migrations/0016-talking-devices.ts';
import { DevicePersonEntity } from './people/device-person.entity.ts';
import { AssetProfileEntity } from './profiles/asset-profile.entity.ts';
import { DeviceProfileEntity } from './profiles/device-profile.entity.ts';
import { RelationEntity, RelationTypeEntity } from './relations/relation.entity.ts';

/** Everything that the registry keeps. */
export const REGISTRY_SCHEMA = {
  entities: [
    CustomerEntity,
    DeviceProfileEntity,
    AssetProfileEntity,
    DeviceEntity,
    DeviceLabelEntity,
    DeviceTermEntity,
    DevicePersonEntity,
    CredentialEntity,
    AssetEntity,
    RelationEntity,
    RelationTypeEntity,
    AuditEntryEntity,
  ],
  migrations: [
    Customers1767225600001,
    Devices1767225600002,
    DeviceLabels1767225600003,
    DeviceTerms1767225600004,
    Credentials1767225600005,
    Profiles1767225600006,
    DeviceStates1767225600007,
    CredentialKinds1767225600008,
    DevicePeople1767225600009,
    Assets1767225600010,
    AuditEntries1767225600011,
    RelationCustomers1767225600012,
    DeviceLists1767225600013,
    RelationLists1767225600014,
    TermsByKey1767225600015,
    TalkingDevices1767225600016,
  ],
} satisfies Schema;
