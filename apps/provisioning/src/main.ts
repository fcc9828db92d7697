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
import { ProvisioningConfig } from './config.ts';
import { ProvisioningModule } from './provisioning.module.ts';

const config = configOrExit(() =>
  readConfig(ServiceConfig.extend(NatsConfig.shape).extend(ProvisioningConfig.shape), process.env),
);
const logger = createLogger('provisioning', config.LOG_LEVEL);

@Module({
  imports: [
    PlatformModule.forRoot(logger),
    MessagingModule.forRoot({ service: 'provisioning', natsUrl: config.NATS_URL }),
    AccessModule,
    ProvisioningModule.register(config),
  ],
})
class ProvisioningService {}

await runService({ name: 'provisioning', module: ProvisioningService, config, logger, rpc: rpcServer });
