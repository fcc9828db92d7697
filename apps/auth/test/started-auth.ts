import { Controller, Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AccessModule } from '#access';
import { CodedError, type RpcReply, type RpcRequest } from '#contracts';
import { MessagingModule, Rpc, RpcClient, rpcServer } from '#messaging';
import { createLogger, createService, PlatformModule, ServiceConfig, type Clock } from '#platform';
import { AuthModule } from '../src/auth.module.ts';
import { AuthConfig } from '../src/config.ts';
import { TokenPair } from '../src/sessions/token-pair.ts';
import { SignedUp } from '../src/sign-up/sign-up.ts';

export const SECRET_KEY = 'a secret key for tests, long enough';
export const ADMIN = { email: 'admin@example.com', password: 'the first administrator' };

/** What the registry would answer about customers. */
export const CUSTOMERS = [
  { id: '0198c0de-0000-7000-8000-000000000001', number: '1001' },
  { id: '0198c0de-0000-7000-8000-000000000002', number: '1002' },
] as const;

/** Users whose devices the registry was asked to let go of, and those that it cannot do so for. */
export const FORGOTTEN: string[] = [];
export const UNFORGETTABLE = new Set<string>();

@Controller()
class RegistryOfTests {
  @Rpc('registry.customers.find')
  find({ customer }: RpcRequest<'registry.customers.find'>): RpcReply<'registry.customers.find'> {
    return CUSTOMERS.find(({ id, number }) => id === customer || number === customer) ?? null;
  }

  @Rpc('registry.people.forget')
  forget({ userId }: RpcRequest<'registry.people.forget'>): RpcReply<'registry.people.forget'> {
    if (UNFORGETTABLE.has(userId))
      throw new CodedError('UNAVAILABLE', 'The registry is away.', { retryAfterMs: 1_000 });
    FORGOTTEN.push(userId);
    return {};
  }
}

export interface AuthOptions {
  databaseUrl: string;
  /** Default: messages within the process. */
  natsUrl?: string;
  config?: Record<string, string | undefined>;
  now?: Clock;
}

export interface Reply {
  status: number;
  body: unknown;
  headers: Headers;
}

export interface Sent {
  /** Sent as JSON; a string is sent as it is. */
  body?: unknown;
  token?: string;
  /** Where the request comes from, as a proxy says it. */
  from?: string;
  headers?: Record<string, string>;
}

export interface Person {
  email: string;
  password: string;
}

export interface NewPerson extends Person {
  id: string;
  tokens: TokenPair;
}

/** A whole auth service on a port of its own. */
export interface StartedAuth {
  app: NestExpressApplication;
  rpc: RpcClient;
  call(request: `${string} /${string}`, sent?: Sent): Promise<Reply>;
  logIn(person: Person): Promise<TokenPair>;
  /** Signs somebody up and logs them in. */
  newPerson(email: string): Promise<NewPerson>;
  stop(): Promise<void>;
}

export async function startAuth({ databaseUrl, natsUrl, config = {}, now }: AuthOptions): Promise<StartedAuth> {
  const logger = createLogger('auth', 'silent');
  const authConfig = AuthConfig.parse({
    DATABASE_URL: databaseUrl,
    SECRET_KEY,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    ...config,
  });

  @Module({
    imports: [
      PlatformModule.forRoot(logger),
      MessagingModule.forRoot({ service: 'auth', natsUrl }),
      AccessModule,
      AuthModule.register(authConfig, now),
    ],
    controllers: [RegistryOfTests],
  })
  class Root {}

  const serviceConfig = ServiceConfig.parse({ HOST: '127.0.0.1', PORT: 0 });
  const app = await createService({ name: 'auth', module: Root, config: serviceConfig, logger, rpc: rpcServer });
  try {
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    return await clientOf(app);
  } catch (error) {
    await app.close();
    throw error;
  }
}

async function clientOf(app: NestExpressApplication): Promise<StartedAuth> {
  const url = await app.getUrl();
  const call: StartedAuth['call'] = async (request, sent = {}) => {
    const [method, path] = request.split(/ (.*)/);
    const response = await fetch(`${url}${path ?? ''}`, { method: method ?? '', ...requestOf(sent) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  };
  const logIn: StartedAuth['logIn'] = async ({ email, password }) =>
    TokenPair.parse((await call('POST /user/login', { body: { email, password } })).body);
  return {
    app,
    rpc: app.get(RpcClient),
    call,
    logIn,
    newPerson: async (email) => {
      const person = { email, password: 'correct horse' };
      const { id } = SignedUp.parse((await call('POST /user/signup', { body: { name: 'Somebody', ...person } })).body);
      return { ...person, id, tokens: await logIn(person) };
    },
    stop: () => app.close(),
  };
}

function requestOf({ body, token, from, headers }: Sent): RequestInit {
  return {
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(from === undefined ? {} : { 'X-Forwarded-For': from }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  };
}
