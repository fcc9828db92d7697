import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Controller, Module } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { NestExpressApplication } from '@nestjs/platform-express';
import jwt from 'jsonwebtoken';
import type { DataSource } from 'typeorm';
import { AccessModule } from '#access';
import { TOKEN_AUDIENCE, TOKEN_ISSUER, type Role, type RpcReply, type RpcRequest } from '#contracts';
import { MessagingModule, Rpc, RpcClient, rpcServer } from '#messaging';
import { createLogger, createService, PlatformModule, readConfig, ServiceConfig } from '#platform';
import { RegistryConfig } from '../../device-registry/src/config.ts';
import { RegistryModule } from '../../device-registry/src/registry.module.ts';
import { ProvisioningConfig } from '../../provisioning/src/config.ts';
import { ProvisioningModule } from '../../provisioning/src/provisioning.module.ts';

const SECRET_KEY = 'a secret key for tests, long enough';
const KEY_ID = 'test';
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** What auth would answer. */
@Controller()
class AuthOfTests {
  @Rpc('auth.jwks')
  jwks(): RpcReply<'auth.jwks'> {
    const { kty, crv, x, y } = signing.publicKey.export({ format: 'jwk' });
    return {
      keys: [{ kty: kty ?? '', crv: crv ?? '', x: x ?? '', y: y ?? '', kid: KEY_ID, use: 'sig', alg: 'ES256' }],
    };
  }

  @Rpc('auth.revocations')
  revocations(): RpcReply<'auth.revocations'> {
    return { sessions: [], users: [] };
  }

  @Rpc('auth.users.count')
  count(_request: RpcRequest<'auth.users.count'>): RpcReply<'auth.users.count'> {
    return { count: 0 };
  }
}

/** Somebody, or something, with what they are let in by. */
export interface Caller {
  authorization?: string;
  /** Of people. */
  userId?: string;
}

export const nobody: Caller = {};
export const bearer = (token: string): Caller => ({ authorization: `Bearer ${token}` });

export function person(role: Role, customerId: string | null = null): Required<Caller> {
  const userId = randomUUID();
  const claims = { sub: userId, sid: randomUUID(), role, cid: customerId, at: Date.now() };
  const token = jwt.sign(claims, signing.privateKey, {
    algorithm: 'ES256',
    keyid: KEY_ID,
    issuer: TOKEN_ISSUER,
    audience: TOKEN_AUDIENCE,
    expiresIn: '15m',
  });
  return { authorization: `Bearer ${token}`, userId };
}

/** What bodies of replies have; which of it a reply has is what a test says. */
export interface Json extends Record<string, unknown> {
  id: string;
  name: string;
  code: string;
  detail: string;
  accessToken: string;
  key: string;
  uses: number;
  device: Json;
  assets: Json[];
  items: Json[];
  errors: { path: string }[];
  nextCursor: string | null;
}

export interface Reply {
  status: number;
  headers: Headers;
  body: Json;
}

/** The registry and provisioning in one process, behind a proxy that says where requests come from. */
export interface StartedWaysIn {
  app: NestExpressApplication;
  registry: DataSource;
  provisioning: DataSource;
  rpc: RpcClient;
  /** A body is sent as JSON, a text as it is. */
  call(who: Caller, request: `${string} /${string}`, body?: unknown, from?: string): Promise<Reply>;
  stop(): Promise<void>;
}

export async function startWaysIn(
  databaseUrl: () => Promise<string>,
  env: Record<string, string> = {},
): Promise<StartedWaysIn> {
  const logger = createLogger('ways in', 'silent');
  const registry = readConfig(RegistryConfig, { DATABASE_URL: await databaseUrl(), SECRET_KEY });
  const provisioning = { DATABASE_URL: await databaseUrl(), PROVISIONING_RATE: '100000', ...env };

  @Module({
    imports: [
      PlatformModule.forRoot(logger),
      MessagingModule.forRoot({ service: 'ways-in' }),
      AccessModule,
      RegistryModule.register(registry),
      ProvisioningModule.register(readConfig(ProvisioningConfig, provisioning)),
    ],
    controllers: [AuthOfTests],
  })
  class Root {}

  const config = ServiceConfig.parse({ HOST: '127.0.0.1', PORT: 0, TRUST_PROXY: 1 });
  const app = await createService({ name: 'ways-in', module: Root, config, logger, rpc: rpcServer });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    registry: app.get<DataSource>(getDataSourceToken('registry')),
    provisioning: app.get<DataSource>(getDataSourceToken('provisioning')),
    rpc: app.get(RpcClient),
    call: (who, request, body, from) => call(url, who, request, body, from),
    stop: () => app.close(),
  };
}

async function call(
  url: string,
  { authorization }: Caller,
  request: string,
  body: unknown,
  from = '10.0.0.1',
): Promise<Reply> {
  const [method = '', path = ''] = request.split(/ (.*)/);
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      'X-Forwarded-For': from,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(authorization === undefined ? {} : { Authorization: authorization }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as Json };
}
