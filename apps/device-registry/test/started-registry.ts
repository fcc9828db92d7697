import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Controller, Module } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { NestExpressApplication } from '@nestjs/platform-express';
import jwt from 'jsonwebtoken';
import type { DataSource } from 'typeorm';
import { AccessModule } from '#access';
import {
  TOKEN_AUDIENCE,
  TOKEN_ISSUER,
  type EventPayload,
  type EventSubject,
  type Role,
  type RpcReply,
  type RpcRequest,
  type UserPrincipal,
} from '#contracts';
import { Events, MessagingModule, Rpc, RpcClient, rpcServer } from '#messaging';
import { createLogger, createService, PlatformModule, ServiceConfig } from '#platform';
import { REGISTRY } from '../src/data-source-name.ts';
import { RegistryModule } from '../src/registry.module.ts';

export const SECRET_KEY = 'a secret key for tests, long enough';

const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEY_ID = 'test';

/** How many users each customer has, as auth would say. */
export const USERS_OF = new Map<string, number>();

/** Whom there is not; there is everybody else. */
export const NOBODY = '0198c0de-0000-7000-8000-00000000dead';

/** Whose email address is whose, as auth would say. */
export const USERS_BY_EMAIL = new Map<string, string>();

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
  count({ customerId }: RpcRequest<'auth.users.count'>): RpcReply<'auth.users.count'> {
    return { count: USERS_OF.get(customerId) ?? 0 };
  }

  @Rpc('auth.users.find')
  find(named: RpcRequest<'auth.users.find'>): RpcReply<'auth.users.find'> {
    const id = 'id' in named ? named.id : USERS_BY_EMAIL.get(named.email.toLowerCase());
    return id === undefined || id === NOBODY ? null : { id, name: 'Somebody', customerId: null };
  }
}

/** Somebody with a token. */
export interface Person {
  token: string;
  principal: UserPrincipal;
}

export function person(role: Role, customerId: string | null = null): Person {
  const principal: UserPrincipal = { kind: 'user', userId: randomUUID(), sessionId: randomUUID(), role, customerId };
  const claims = { sub: principal.userId, sid: principal.sessionId, role, cid: customerId, at: Date.now() };
  const token = jwt.sign(claims, signing.privateKey, {
    algorithm: 'ES256',
    keyid: KEY_ID,
    issuer: TOKEN_ISSUER,
    audience: TOKEN_AUDIENCE,
    expiresIn: '15m',
  });
  return { token, principal };
}

/** What bodies of replies have; which of it a reply has is what a test says. */
export interface Json extends Record<string, unknown> {
  id: string;
  name: string;
  number: string;
  customer: string | null;
  attributes: Record<string, unknown>;
  version: number;
  deviceCount: number;
  accessToken: string;
  token: string;
  userName: string;
  password: string;
  expiresAt: number | null;
  items: Json[];
  nextCursor: string | null;
  code: string;
  detail: string;
}

export interface Reply {
  status: number;
  headers: Headers;
  body: Json;
}

export interface Sent {
  body?: unknown;
  headers?: Record<string, string>;
}

/** A whole registry on a port of its own, with its messages within the process. */
export interface StartedRegistry {
  app: NestExpressApplication;
  dataSource: DataSource;
  rpc: RpcClient;
  call(who: Person | undefined, request: `${string} /${string}`, sent?: Sent): Promise<Reply>;
  /** Every payload of a subject so far. */
  heard<S extends EventSubject>(subject: S): EventPayload<S>[];
  stop(): Promise<void>;
}

export async function startRegistry(databaseUrl: string, secretKey = SECRET_KEY): Promise<StartedRegistry> {
  const logger = createLogger('device-registry', 'silent');

  @Module({
    imports: [
      PlatformModule.forRoot(logger),
      MessagingModule.forRoot({ service: 'device-registry' }),
      AccessModule,
      RegistryModule.register({ DATABASE_URL: databaseUrl, SECRET_KEY: secretKey, DEVICE_JWT_SECONDS: 86_400 }),
    ],
    controllers: [AuthOfTests],
  })
  class Root {}

  const config = ServiceConfig.parse({ HOST: '127.0.0.1', PORT: 0 });
  const app = await createService({ name: 'device-registry', module: Root, config, logger, rpc: rpcServer });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    dataSource: app.get<DataSource>(getDataSourceToken(REGISTRY)),
    rpc: app.get(RpcClient),
    call: (who, request, sent) => call(url, who, request, sent),
    heard: listen(app.get(Events)),
    stop: () => app.close(),
  };
}

async function call(
  url: string,
  who: Person | undefined,
  request: string,
  { body, headers }: Sent = {},
): Promise<Reply> {
  const [method = '', path = ''] = request.split(/ (.*)/);
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(who === undefined ? {} : { Authorization: `Bearer ${who.token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as Json };
}

function listen(events: Events): StartedRegistry['heard'] {
  const heard: { subject: EventSubject; payload: unknown }[] = [];
  for (const subject of ['registry.device.changed', 'registry.credentials.revoked'] as const) {
    events.on(subject, (payload) => heard.push({ subject, payload }));
  }
  return <S extends EventSubject>(subject: S) =>
    heard.filter((event) => event.subject === subject).map(({ payload }) => payload as EventPayload<S>);
}

/** A statement as it was sent to the database. */
export interface Statement {
  sql: string;
  parameters: unknown[];
}

/** What the registry asks of its database meanwhile. */
export async function statementsDuring<T>(
  { dataSource }: StartedRegistry,
  work: () => Promise<T>,
): Promise<{ statements: Statement[]; result: T }> {
  const { logger } = dataSource;
  const statements: Statement[] = [];
  const listening = new Proxy(logger, {
    get: (target, property, receiver) =>
      property === 'logQuery'
        ? (sql: string, parameters: unknown[] = []) => statements.push({ sql, parameters })
        : (Reflect.get(target, property, receiver) as unknown),
  });
  Object.assign(dataSource, { logger: listening });
  try {
    return { result: await work(), statements };
  } finally {
    Object.assign(dataSource, { logger });
  }
}

/** How a database carries out a statement. */
export interface Plan {
  sql: string;
  text: string;
  /** Tables that it reads from end to end. */
  scans: string[];
  /** Indexes that it reads from one end until it has enough. */
  walks: string[];
}

export async function explained(dataSource: DataSource, { sql, parameters }: Statement): Promise<Plan> {
  const isMysql = dataSource.options.type === 'mysql';
  const rows: Record<string, unknown>[] = await dataSource.query(
    `EXPLAIN ${isMysql ? 'FORMAT=TRADITIONAL ' : 'QUERY PLAN '}${sql}`,
    parameters,
  );
  const lines = rows.map((row) => (isMysql ? JSON.stringify(row) : String(row['detail'])));
  const ofType = (wanted: string) =>
    rows.filter(({ type, table }) => type === wanted && !isIntermediate(table)).map((row) => JSON.stringify(row));
  return {
    sql,
    text: lines.join('\n'),
    scans: isMysql ? ofType('ALL') : lines.filter((line) => /^SCAN (?!some\b|\(|.* USING )/.test(line)),
    walks: isMysql ? ofType('index') : lines.filter((line) => /^SCAN .* USING /.test(line)),
  };
}

/** What a subquery found, by index, and MySQL keeps in memory. */
const isIntermediate = (table: unknown): boolean => /^<(?:subquery|derived)/.test(String(table));
