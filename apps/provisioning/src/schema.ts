import { FailedAttemptsEntity, type Schema } from '#sql';
import { JobChunkEntity, JobEntity, JobErrorEntity } from './jobs/job.entity.ts';
import { Jobs1767225600101 } from './migrations/0001-jobs.ts';
import { ProvisioningKeys1767225600102 } from './migrations/0002-provisioning-keys.ts';
import { Pairing1767225600103 } from './migrations/0003-pairing.ts';
import { PairTicketEntity } from './pairing/pair-ticket.entity.ts';
import { KeyUseEntity, ProvisioningKeyEntity } from './provisioning-keys/provisioning-key.entity.ts';

/** Everything that provisioning keeps. */
export const PROVISIONING_SCHEMA: Schema = {
  entities: [
    JobEntity,
    JobChunkEntity,
    JobErrorEntity,
    ProvisioningKeyEntity,
    KeyUseEntity,
    PairTicketEntity,
    FailedAttemptsEntity,
  ],
  migrations: [Jobs1767225600101, ProvisioningKeys1767225600102, Pairing1767225600103],
};
