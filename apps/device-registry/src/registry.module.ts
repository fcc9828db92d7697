import { Module, type DynamicModule } from '@nestjs/common';
import { CLOCK } from '#platform';
import { SqlModule } from '#sql';
import { ClaimsHandlers } from './claims/claims.handlers.ts';
import { Claims } from './claims/claims.service.ts';
import { AssetsController } from './assets/assets.controller.ts';
import { Assets } from './assets/assets.service.ts';
import { AuditTrail } from './audit/audit-trail.service.ts';
import { AuditController } from './audit/audit.controller.ts';
import type { RegistryConfig } from './config.ts';
import { deviceTokenKey } from './credentials/access-token.ts';
import { ChosenPasswords } from './credentials/chosen-passwords.ts';
import { CredentialVerification } from './credentials/credential-verification.ts';
import { CredentialsController } from './credentials/credentials.controller.ts';
import { CredentialsHandlers } from './credentials/credentials.handlers.ts';
import { Credentials } from './credentials/credentials.service.ts';
import { DerivedTokens, DEVICE_TOKEN_KEY } from './credentials/derived-tokens.ts';
import { deviceJwtKey, DeviceJwts } from './credentials/device-jwts.ts';
import { DeviceResetController } from './credentials/device-reset.controller.ts';
import { DeviceReset } from './credentials/device-reset.ts';
import { EndedCredentials } from './credentials/ended-credentials.ts';
import { MqttVerification } from './credentials/mqtt-verification.ts';
import { CustomersController } from './customers/customers.controller.ts';
import { CustomersHandlers } from './customers/customers.handlers.ts';
import { Customers } from './customers/customers.service.ts';
import { REGISTRY } from './data-source-name.ts';
import { DeviceAccess } from './devices/device-access.ts';
import { DevicesOfProfile } from './devices/devices-of-profile.ts';
import { DevicesOnDemand } from './devices/devices-on-demand.ts';
import { DevicesController } from './devices/devices.controller.ts';
import { DevicesHandlers } from './devices/devices.handlers.ts';
import { Devices } from './devices/devices.service.ts';
import { FirstHeard } from './devices/first-heard.ts';
import { ImportsHandlers } from './import/imports.handlers.ts';
import { Imports } from './import/imports.service.ts';
import { PeopleController } from './people/people.controller.ts';
import { PeopleHandlers } from './people/people.handlers.ts';
import { People } from './people/people.service.ts';
import { UserDirectory } from './people/user-directory.ts';
import { AssetProfilesController, DeviceProfilesController } from './profiles/profiles.controller.ts';
import { ProfilesHandlers } from './profiles/profiles.handlers.ts';
import { PROFILES } from './profiles/profiles.providers.ts';
import { RelationsController } from './relations/relations.controller.ts';
import { Relations } from './relations/relations.service.ts';
import { REGISTRY_SCHEMA } from './schema.ts';
import { SelfProvisioningHandlers } from './self-provisioning/self-provisioning.handlers.ts';
import { SelfProvisioning } from './self-provisioning/self-provisioning.service.ts';
import { TwoStepHandlers } from './two-step/two-step.handlers.ts';
import { TwoStep } from './two-step/two-step.service.ts';
import { UuidDevicesHandlers } from './uuid-devices/uuid-devices.handlers.ts';
import { UuidDevices } from './uuid-devices/uuid-devices.service.ts';
import { ZeroTouchHandlers } from './zero-touch/zero-touch.handlers.ts';
import { ZeroTouch } from './zero-touch/zero-touch.service.ts';

/** Customers, devices and devices' credentials. */
@Module({})
export class RegistryModule {
  static register({ DATABASE_URL, SECRET_KEY, DEVICE_JWT_SECONDS }: RegistryConfig): DynamicModule {
    return {
      module: RegistryModule,
      imports: [SqlModule.forSchema(REGISTRY, DATABASE_URL, REGISTRY_SCHEMA)],
      controllers: [
        CustomersController,
        CustomersHandlers,
        DeviceProfilesController,
        AssetProfilesController,
        ProfilesHandlers,
        AssetsController,
        RelationsController,
        AuditController,
        PeopleController,
        PeopleHandlers,
        DevicesController,
        DevicesHandlers,
        CredentialsController,
        CredentialsHandlers,
        DeviceResetController,
        TwoStepHandlers,
        UuidDevicesHandlers,
        SelfProvisioningHandlers,
        ImportsHandlers,
        ZeroTouchHandlers,
        ClaimsHandlers,
      ],
      providers: [
        Customers,
        ...PROFILES,
        Assets,
        Relations,
        AuditTrail,
        People,
        UserDirectory,
        Devices,
        DeviceAccess,
        DevicesOnDemand,
        DevicesOfProfile,
        FirstHeard,
        Credentials,
        CredentialVerification,
        MqttVerification,
        ChosenPasswords,
        DerivedTokens,
        EndedCredentials,
        DeviceReset,
        TwoStep,
        UuidDevices,
        SelfProvisioning,
        Imports,
        ZeroTouch,
        Claims,
        { provide: CLOCK, useValue: Date.now },
        { provide: DEVICE_TOKEN_KEY, useValue: deviceTokenKey(SECRET_KEY) },
        { provide: DeviceJwts, useFactory: () => new DeviceJwts(deviceJwtKey(SECRET_KEY), DEVICE_JWT_SECONDS) },
      ],
    };
  }
}
