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
import { AuthModule } from './auth.module.ts';
import { AuthConfig } from './config.ts';

const config = configOrExit(() =>
  readConfig(ServiceConfig.extend(NatsConfig.shape).extend(AuthConfig.shape), process.env),
);
const logger = createLogger('auth', config.LOG_LEVEL);

@Module({
  imports: [
    PlatformModule.forRoot(logger),
    MessagingModule.forRoot({ service: 'auth', natsUrl: config.NATS_URL }),
    AccessModule,
    AuthModule.register(config),
  ],
})
class AuthService {}

await runService({ name: 'auth', module: AuthService, config, logger, rpc: rpcServer });
