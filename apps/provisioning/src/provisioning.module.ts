import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule } from '@nestjs/common';
import { SqlModule } from '#sql';
import { CLOCK } from './clock.ts';
import type { ProvisioningConfig } from './config.ts';
import { PROVISIONING } from './data-source-name.ts';
import { DebugProvisioningController } from './debug-provisioning/debug-provisioning.controller.ts';
import { DEBUG_PROVISIONING, DebugProvisioningGuard } from './debug-provisioning/debug-provisioning.guard.ts';
import { DebugProvisioning } from './debug-provisioning/debug-provisioning.service.ts';
import { JobHousekeeping } from './jobs/job-housekeeping.ts';
import { JobProgress } from './jobs/job-progress.ts';
import { JobQueue } from './jobs/job-queue.ts';
import { JobStore } from './jobs/job-store.ts';
import { JobWorker } from './jobs/job-worker.ts';
import { JobsController } from './jobs/jobs.controller.ts';
import { JobsHandlers } from './jobs/jobs.handlers.ts';
import { Jobs } from './jobs/jobs.service.ts';
import { JOB_HOLDER } from './jobs/leases.ts';
import { Uploads } from './jobs/uploads.service.ts';
import { AddressRate } from './rate/address-rate.ts';
import { RateGuard } from './rate/rate.guard.ts';
import { PROVISIONING_SCHEMA } from './schema.ts';

/** Every way a device gets in. */
@Module({})
export class ProvisioningModule {
  static register(config: ProvisioningConfig): DynamicModule {
    return {
      module: ProvisioningModule,
      imports: [SqlModule.forSchema(PROVISIONING, config.DATABASE_URL, PROVISIONING_SCHEMA)],
      controllers: [DebugProvisioningController, JobsController, JobsHandlers],
      providers: [
        DebugProvisioning,
        DebugProvisioningGuard,
        RateGuard,
        Jobs,
        JobStore,
        JobQueue,
        JobProgress,
        JobWorker,
        JobHousekeeping,
        Uploads,
        { provide: JOB_HOLDER, useFactory: () => randomUUID() },
        { provide: CLOCK, useValue: Date.now },
        { provide: DEBUG_PROVISIONING, useValue: config.DEBUG_PROVISIONING },
        { provide: AddressRate, useValue: new AddressRate(config.PROVISIONING_RATE, Date.now) },
      ],
    };
  }
}
