import { Module, type DynamicModule } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { pino } from 'pino';
import { AccessModule, DeviceCredentials } from '#access';
import { MessagingModule, RpcClient, rpcServer } from '#messaging';
import { createService, PlatformModule, ServiceConfig } from '#platform';
import { RegistryModule } from '../../apps/device-registry/src/registry.module.ts';
import { concurrently } from './concurrently.ts';

const AT_ONCE = 64;

/** Credentials checked a second: by the registry, and believed by the process that holds the connections. */
export interface VerifyRates {
  asked: number;
  believed: number;
}

/** How a process reaches the registry: over NATS, or with the registry of that database within it. */
export type Registry = { natsUrl: string } | { databaseUrl: string };

/** @param tokens Access tokens of devices that are there. */
export async function verifyRates(
  registry: Registry,
  tokens: readonly string[],
  seconds: number,
): Promise<VerifyRates> {
  const app = await connectionHolder(registry);
  try {
    const [rpc, credentials] = [app.get(RpcClient), app.get(DeviceCredentials)];
    const tokenOf = (index: number): string => tokens[index % tokens.length] ?? '';
    const presented = (index: number) => ({ kind: 'token', token: tokenOf(index) }) as const;
    const asked = await concurrently(AT_ONCE, seconds, (index) =>
      rpc.call('registry.credentials.verify', presented(index)),
    );
    for (const index of tokens.keys()) await credentials.verify(presented(index));
    const believed = await concurrently(AT_ONCE, seconds, (index) => credentials.verify(presented(index)));
    return { asked: asked.rate, believed: believed.rate };
  } finally {
    await app.close();
  }
}

async function connectionHolder(registry: Registry): Promise<NestExpressApplication> {
  const logger = pino({ level: 'silent' });
  const natsUrl = 'natsUrl' in registry ? registry.natsUrl : undefined;
  const own: DynamicModule[] =
    'databaseUrl' in registry
      ? [
          RegistryModule.register({
            DATABASE_URL: registry.databaseUrl,
            SECRET_KEY: 'a key for the bench, of 32 letters',
            DEVICE_JWT_SECONDS: 86_400,
          }),
        ]
      : [];

  @Module({
    imports: [
      PlatformModule.forRoot(logger),
      MessagingModule.forRoot({ service: 'bench', natsUrl }),
      AccessModule,
      ...own,
    ],
  })
  class ConnectionHolder {}

  const config = ServiceConfig.parse({ HOST: '127.0.0.1', PORT: 0 });
  const app = await createService({ name: 'bench', module: ConnectionHolder, config, logger, rpc: rpcServer });
  await app.startAllMicroservices();
  await app.init();
  return app;
}
