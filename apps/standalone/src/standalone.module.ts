import type { DynamicModule } from '@nestjs/common';
import type { Logger } from 'pino';
import { AuthModule } from '../../auth/src/auth.module.ts';
import { RegistryModule } from '../../device-registry/src/registry.module.ts';
import { ProvisioningModule } from '../../provisioning/src/provisioning.module.ts';
import { TelemetryModule } from '../../telemetry/src/telemetry.module.ts';
import { AccessModule } from '#access';
import { MessagingModule } from '#messaging';
import { PlatformModule } from '#platform';
import type { StandaloneConfig } from './config.ts';
import type { DataFolder } from './data-folder.ts';

/** The four services in one process: SQLite files, messages within the process, one HTTP server. */
export class StandaloneModule {
  static register(config: StandaloneConfig, folder: DataFolder, logger: Logger): DynamicModule {
    const SECRET_KEY = config.SECRET_KEY ?? folder.secretKey();
    const database = (name: string): string => `file:${folder.file(`${name}.db`)}`;
    return {
      module: StandaloneModule,
      imports: [
        PlatformModule.forRoot(logger),
        MessagingModule.forRoot({ service: 'standalone' }),
        AccessModule,
        AuthModule.register({ ...config, SECRET_KEY, DATABASE_URL: database('auth'), FIRST_ADMIN: 'generate' }),
        RegistryModule.register({ ...config, SECRET_KEY, DATABASE_URL: database('registry') }),
        ProvisioningModule.register(
          { ...config, DATABASE_URL: database('provisioning') },
          config.MQTT_PORT === null || config.MQTT_PORT === 0 ? undefined : config.MQTT_PORT,
        ),
        TelemetryModule.register(config, {
          kind: 'files',
          folder: folder.path,
          databaseUrl: database('telemetry'),
        }),
      ],
    };
  }
}
