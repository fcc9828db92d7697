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
import { TelemetryConfig, TelemetryServersConfig } from './config.ts';
import { TelemetryModule } from './telemetry.module.ts';

const Config = ServiceConfig.extend(NatsConfig.shape)
  .extend(TelemetryConfig.shape)
  .extend(TelemetryServersConfig.shape);

const config = configOrExit(() => readConfig(Config, process.env));
const logger = createLogger('telemetry', config.LOG_LEVEL);

@Module({
  imports: [
    PlatformModule.forRoot(logger),
    MessagingModule.forRoot({ service: 'telemetry', natsUrl: config.NATS_URL }),
    AccessModule,
    TelemetryModule.register(config, {
      kind: 'servers',
      natsUrl: config.NATS_URL,
      mongodbUrl: config.MONGODB_URL,
      logReplicas: config.LOG_REPLICAS,
      databaseUrl: config.DATABASE_URL,
    }),
  ],
})
class TelemetryService {}

await runService({ name: 'telemetry', module: TelemetryService, config, logger, rpc: rpcServer });
