import { Module, type DynamicModule } from '@nestjs/common';
import { SqlModule } from '#sql';
import { CLOCK } from './clock.ts';
import type { ProvisioningConfig } from './config.ts';
import { PROVISIONING } from './data-source-name.ts';
import { DebugProvisioningController } from './debug-provisioning/debug-provisioning.controller.ts';
import { DEBUG_PROVISIONING, DebugProvisioningGuard } from './debug-provisioning/debug-provisioning.guard.ts';
import { DebugProvisioning } from './debug-provisioning/debug-provisioning.service.ts';
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
      controllers: [DebugProvisioningController],
      providers: [
        DebugProvisioning,
        DebugProvisioningGuard,
        RateGuard,
        { provide: CLOCK, useValue: Date.now },
        { provide: DEBUG_PROVISIONING, useValue: config.DEBUG_PROVISIONING },
        { provide: AddressRate, useValue: new AddressRate(config.PROVISIONING_RATE, Date.now) },
      ],
    };
  }
}
