import { Module, type DynamicModule } from '@nestjs/common';
import type { ProvisioningConfig } from './config.ts';
import { AddressRate } from './debug-provisioning/address-rate.ts';
import { DebugProvisioningController } from './debug-provisioning/debug-provisioning.controller.ts';
import { DEBUG_PROVISIONING, DebugProvisioningGuard } from './debug-provisioning/debug-provisioning.guard.ts';
import { DebugProvisioning } from './debug-provisioning/debug-provisioning.service.ts';

/** Every way a device gets in. */
@Module({})
export class ProvisioningModule {
  static register({ DEBUG_PROVISIONING: isOn, PROVISIONING_RATE }: ProvisioningConfig): DynamicModule {
    return {
      module: ProvisioningModule,
      controllers: [DebugProvisioningController],
      providers: [
        DebugProvisioning,
        DebugProvisioningGuard,
        { provide: DEBUG_PROVISIONING, useValue: isOn },
        { provide: AddressRate, useValue: new AddressRate(PROVISIONING_RATE, Date.now) },
      ],
    };
  }
}
