import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule } from '@nestjs/common';
import { CLOCK } from '#platform';
import { attemptsIn, SqlModule } from '#sql';
import type { ProvisioningConfig } from './config.ts';
import { CustomerChoice } from './customer-choice.ts';
import { PROVISIONING } from './data-source-name.ts';
import { DebugProvisioningController } from './debug-provisioning/debug-provisioning.controller.ts';
import { DEBUG_PROVISIONING, DebugProvisioningGuard } from './debug-provisioning/debug-provisioning.guard.ts';
import { DebugProvisioning } from './debug-provisioning/debug-provisioning.service.ts';
import { ExactErrors } from './exact-errors.ts';
import { Housekeeping } from './housekeeping/housekeeping.ts';
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
import { LocationModule } from './location/location.module.ts';
import { ClaimsController } from './pairing/claims.controller.ts';
import { Claims } from './pairing/claims.service.ts';
import { DeviceCallerGuard } from './pairing/device-caller.guard.ts';
import { NamedClaimsController } from './pairing/named-claims.controller.ts';
import { NamedClaims } from './pairing/named-claims.service.ts';
import { PairingController } from './pairing/pairing.controller.ts';
import { PairingHandlers } from './pairing/pairing.handlers.ts';
import { Pairing } from './pairing/pairing.service.ts';
import { KeyUses } from './provisioning-keys/key-uses.ts';
import { ProvisioningKeysController } from './provisioning-keys/provisioning-keys.controller.ts';
import { ProvisioningKeys } from './provisioning-keys/provisioning-keys.service.ts';
import {
  MQTT_ADDRESS,
  MqttAddressController,
  REGISTERED_PORT,
  type MqttAddress,
} from './mqtt-address/mqtt-address.controller.ts';
import { AddressRate } from './rate/address-rate.ts';
import { RateGuard } from './rate/rate.guard.ts';
import { PROVISIONING_SCHEMA } from './schema.ts';
import { SelfProvisioningHandlers } from './self-provisioning/self-provisioning.handlers.ts';
import { SelfProvisioning } from './self-provisioning/self-provisioning.service.ts';
import { TwoStepController } from './two-step/two-step.controller.ts';
import { DeviceKeys } from './uuid-request/device-keys.ts';
import { ONLY_KNOWN, UuidRequestController } from './uuid-request/uuid-request.controller.ts';
import { ProvisionerGuard } from './zero-touch/provisioner.ts';
import { ZeroTouchController } from './zero-touch/zero-touch.controller.ts';
import { ZeroTouch } from './zero-touch/zero-touch.service.ts';

/** Every way a device gets in. */
@Module({})
export class ProvisioningModule {
  /** @param mqttPort The port of MQTT on the host that devices ask. */
  static register(config: ProvisioningConfig, mqttPort = REGISTERED_PORT): DynamicModule {
    return {
      module: ProvisioningModule,
      imports: [
        SqlModule.forSchema(PROVISIONING, config.DATABASE_URL, PROVISIONING_SCHEMA),
        LocationModule.register(config),
      ],
      controllers: [
        DebugProvisioningController,
        TwoStepController,
        UuidRequestController,
        MqttAddressController,
        JobsController,
        JobsHandlers,
        ProvisioningKeysController,
        ZeroTouchController,
        PairingController,
        PairingHandlers,
        ClaimsController,
        NamedClaimsController,
        SelfProvisioningHandlers,
      ],
      providers: [
        DebugProvisioning,
        DebugProvisioningGuard,
        RateGuard,
        ExactErrors,
        { provide: DeviceKeys, useFactory: () => deviceKeys(config) },
        { provide: ONLY_KNOWN, useValue: config.DEVICE_REGISTRATION === 'known' },
        {
          provide: MQTT_ADDRESS,
          useValue: { publicAddress: config.MQTT_PUBLIC_ADDRESS, port: mqttPort } satisfies MqttAddress,
        },
        Jobs,
        JobStore,
        JobQueue,
        JobProgress,
        JobWorker,
        JobHousekeeping,
        Uploads,
        attemptsIn(PROVISIONING),
        CustomerChoice,
        ProvisioningKeys,
        KeyUses,
        ProvisionerGuard,
        ZeroTouch,
        DeviceCallerGuard,
        Pairing,
        Claims,
        NamedClaims,
        SelfProvisioning,
        Housekeeping,
        { provide: JOB_HOLDER, useFactory: () => randomUUID() },
        { provide: CLOCK, useValue: Date.now },
        { provide: DEBUG_PROVISIONING, useValue: config.DEBUG_PROVISIONING },
        { provide: AddressRate, useValue: new AddressRate(config.PROVISIONING_RATE, Date.now) },
      ],
    };
  }
}

const deviceKeys = ({ DEVICE_MASTER_SECRET_KEY, DEVICE_AGENT_SECRET_KEY }: ProvisioningConfig): DeviceKeys =>
  new DeviceKeys({ master: DEVICE_MASTER_SECRET_KEY, agent: DEVICE_AGENT_SECRET_KEY });
