import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { AccessModule } from '#access';
import { MessagingModule, rpcServer } from '#messaging';
import {
  configOrExit,
  createLogger,
  NatsConfig,
  PlatformModule,
  readConfig,
  runService,
  ServiceConfig,
} from '#platform';
import { RegistryConfig } from './config.ts';
import { RegistryModule } from './registry.module.ts';

const config = configOrExit(() =>
  readConfig(ServiceConfig.extend(NatsConfig.shape).extend(RegistryConfig.shape), process.env),
);
const logger = createLogger('device-registry', config.LOG_LEVEL);

@Module({
  imports: [
    PlatformModule.forRoot(logger),
    MessagingModule.forRoot({ service: 'device-registry', natsUrl: config.NATS_URL }),
    AccessModule,
    RegistryModule.register(config),
  ],
})
class DeviceRegistryService {}

await runService({ name: 'device-registry', module: DeviceRegistryService, config, logger, rpc: rpcServer });
