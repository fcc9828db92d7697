import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Controller, Module } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import jwt from 'jsonwebtoken';
import type { DataSource } from 'typeorm';
import { AccessModule } from '#access';
import { JobView, TOKEN_AUDIENCE, TOKEN_ISSUER, type Role, type RpcReply, type UserPrincipal } from '#contracts';
import { BUS, MessagingModule, Rpc, RpcClient, rpcServer, type Bus } from '#messaging';
import { createLogger, createService, PlatformModule, readConfig, ServiceConfig } from '#platform';
import { waitUntil } from '#testing';
import { ProvisioningConfig } from '../../src/config.ts';
import { PROVISIONING } from '../../src/data-source-name.ts';
import { JobHousekeeping } from '../../src/jobs/job-housekeeping.ts';
import { ProvisioningModule } from '../../src/provisioning.module.ts';
import { controllerOf, type FakeRegistry } from './registry-of-tests.ts';

const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEY_ID = 'test';

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

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  body: Record<string, unknown>;
}

interface Sending {
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** Provisioning on a port of its own, with its messages within the process. */
export class StartedProvisioning {
  private constructor(
    readonly url: string,
    readonly dataSource: DataSource,
    readonly rpc: RpcClient,
    readonly bus: Bus,
    private readonly housekeeping: JobHousekeeping,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(databaseUrl: string, registry: FakeRegistry): Promise<StartedProvisioning> {
    const logger = createLogger('provisioning', 'silent');

    @Module({
      imports: [
        PlatformModule.forRoot(logger),
        MessagingModule.forRoot({ service: 'provisioning' }),
        AccessModule,
        ProvisioningModule.register(readConfig(ProvisioningConfig, { DATABASE_URL: databaseUrl })),
      ],
      controllers: [controllerOf(registry), AuthOfTests],
    })
    class Root {}

    const config = ServiceConfig.parse({ HOST: '127.0.0.1', PORT: 0 });
    const app = await createService({ name: 'provisioning', module: Root, config, logger, rpc: rpcServer });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    const dataSource = app.get<DataSource>(getDataSourceToken(PROVISIONING));
    const stop = () => app.close();
    return new StartedProvisioning(
      await app.getUrl(),
      dataSource,
      app.get(RpcClient),
      app.get<Bus>(BUS),
      app.get(JobHousekeeping),
      stop,
    );
  }

  call(who: Person | undefined, line: `${string} /${string}`, { headers, body }: Sending = {}): Promise<Reply> {
    const [method, path] = line.split(/ (.*)/);
    return new Promise((resolve, reject) => {
      const sent = httpRequest(`${this.url}${path ?? ''}`, {
        method: method ?? 'GET',
        agent: false,
        headers: {
          ...(who === undefined ? {} : { Authorization: `Bearer ${who.token}` }),
          ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
          ...headers,
        },
      });
      sent.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: jsonOf(text) });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  upload(who: Person | undefined, file: string | Buffer, type = 'text/csv'): Promise<Reply> {
    return this.call(who, 'POST /api/provisioning/jobs', { headers: { 'Content-Type': type }, body: file });
  }

  /** Uploads and gives the id of the job. */
  async started(who: Person, file: string | Buffer, type?: string): Promise<string> {
    const { status, body, text } = await this.upload(who, file, type);
    if (status !== 202) throw new Error(`not taken: ${text}`);
    return String(body['id']);
  }

  async job(who: Person, id: string): Promise<JobView> {
    return JobView.parse((await this.call(who, `GET /api/provisioning/jobs/${id}`)).body);
  }

  ended(who: Person, id: string): Promise<JobView> {
    const over = async () => {
      const job = await this.job(who, id);
      return job.finishedAt === null ? undefined : job;
    };
    return waitUntil(over, { what: 'the job is over', timeoutMs: 20_000 });
  }

  /** Tidies up, as it does by itself now and then, until it has come to this. */
  async tidied(condition: () => Promise<boolean>): Promise<void> {
    const tidied = async () => {
      await this.housekeeping.tidy();
      return condition();
    };
    await waitUntil(tidied, { what: 'it is tidied up' });
  }

  /** How many rows a table has. */
  async rows(table: 'import_jobs' | 'job_chunks' | 'job_errors', jobId?: string): Promise<number> {
    const column = table === 'import_jobs' ? 'id' : 'job_id';
    const where = jobId === undefined ? '' : ` WHERE ${column} = '${jobId}'`;
    const [row] = await this.dataSource.query<{ n: number | string }[]>(`SELECT COUNT(*) AS n FROM ${table}${where}`);
    return Number(row?.n);
  }
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
