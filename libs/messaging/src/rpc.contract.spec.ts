import { Controller, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { CodedError, EVENTS, type RpcReply, type RpcRequest } from '#contracts';
import { PlatformModule, uuid7 } from '#platform';
import { describeWith, freshNats, waitUntil } from '#testing';
import { Events } from './events.ts';
import { MessagingModule, rpcServer } from './messaging.module.ts';
import { RpcClient } from './rpc-client.ts';
import { Rpc } from './rpc.decorator.ts';

const CUSTOMER = { id: uuid7(), number: '1001' };
const log = pino({ level: 'silent' });

@Controller()
class Handlers {
  @Rpc('registry.customers.find')
  find({ customer }: RpcRequest<'registry.customers.find'>): RpcReply<'registry.customers.find'> {
    return customer === CUSTOMER.number ? CUSTOMER : null;
  }

  @Rpc('registry.devices.authorize')
  authorize(): never {
    throw new CodedError('TOO_MANY_ATTEMPTS', 'Wait.', {
      retryAfterMs: 1_500,
      errors: [{ path: '/device', message: 'no' }],
    });
  }

  @Rpc('auth.users.count')
  count(): Promise<RpcReply<'auth.users.count'>> {
    throw new TypeError('the handler has a bug');
  }

  @Rpc('auth.revocations')
  revocations(): Promise<RpcReply<'auth.revocations'>> {
    return new Promise(() => undefined);
  }
}

function rpcSuite(natsUrl: () => Promise<string | undefined>): void {
  let app: INestApplication;
  let rpc: RpcClient;

  beforeAll(async () => {
    @Module({
      imports: [PlatformModule.forRoot(log), MessagingModule.forRoot({ service: 'test', natsUrl: await natsUrl() })],
      controllers: [Handlers],
    })
    class Root {}
    app = await NestFactory.create(Root, { logger: false });
    app.connectMicroservice(rpcServer(app), { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.init();
    rpc = app.get(RpcClient);
  });
  afterAll(() => app.close());

  const user = { kind: 'user', userId: uuid7(), sessionId: uuid7(), role: 'user', customerId: null } as const;
  const refused = (request: Promise<unknown>): Promise<unknown> => request.catch((error: unknown) => error);

  test('brings back the reply, null too', async () => {
    expect(await rpc.call('registry.customers.find', { customer: '1001' })).toEqual(CUSTOMER);
    expect(await rpc.call('registry.customers.find', { customer: 'nobody' })).toBeNull();
  });

  test('brings each of a thousand requests at once its own reply', async () => {
    const replies = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        rpc.call('registry.customers.find', { customer: index % 2 === 0 ? '1001' : 'nobody' }),
      ),
    );
    expect(replies.map((reply) => reply?.number ?? null)).toEqual(
      replies.map((_, index) => (index % 2 === 0 ? '1001' : null)),
    );
  });

  test("brings back a handler's coded error whole", async () => {
    const error = await refused(
      rpc.call('registry.devices.authorize', { principal: user, device: 'd', action: 'read' }),
    );
    expect(error).toBeInstanceOf(CodedError);
    expect(error).toMatchObject({
      code: 'TOO_MANY_ATTEMPTS',
      message: 'Wait.',
      retryAfterMs: 1_500,
      errors: [{ path: '/device', message: 'no' }],
    });
  });

  test('tells nothing of an unexpected error but that it happened', async () => {
    const error = await refused(rpc.call('auth.users.count', { customerId: CUSTOMER.id }));
    expect(error).toMatchObject({ code: 'INTERNAL', message: expect.not.stringContaining('bug') });
  });

  test('says when nobody answers on a subject, at once', async () => {
    expect(await refused(rpc.call('auth.jwks', {}))).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 1_000 });
  });

  test('says when no answer came in time', async () => {
    expect(await refused(rpc.call('auth.revocations', {}, 50))).toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  });

  test('refuses a request that does not fit the contract before it is sent', async () => {
    await expect(rpc.call('registry.customers.find', { customer: '' })).rejects.toThrow();
  });

  test('brings an event to every listener, and leaves out what does not fit its contract', async () => {
    const events = app.get(Events);
    const heard: string[] = [];
    const stop = events.on('auth.session.ended', ({ sessionId }) => heard.push(sessionId));
    const ended = { sessionId: uuid7(), userId: uuid7(), until: 1 };
    expect(() => {
      events.publish('auth.session.ended', { ...ended, sessionId: 'not an id' });
    }).toThrow();
    await waitUntil(
      () => {
        events.publish('auth.session.ended', ended);
        return heard.length > 0;
      },
      { what: 'the event is heard' },
    );
    expect(new Set(heard)).toEqual(new Set([ended.sessionId]));
    expect(EVENTS['auth.session.ended'].safeParse(ended).success).toBe(true);
    stop();
  });
}

describe('requests and events within a process', () => {
  rpcSuite(() => Promise.resolve(undefined));
});

describeWith(['nats'], 'requests and events over NATS', () => {
  rpcSuite(async () => (await freshNats()).url);
});
