import {
  Global,
  Inject,
  Module,
  type DynamicModule,
  type INestApplication,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ClientNats, Transport, type ClientProxy, type MicroserviceOptions } from '@nestjs/microservices';
import { Health, LOGGER, type Log } from '#platform';
import { BUS, type Bus } from './bus.ts';
import { Events } from './events.ts';
import { InProcessBus } from './in-process.bus.adapter.ts';
import { InProcessHub, InProcessRpcClient, InProcessRpcServer } from './in-process.rpc.ts';
import { natsOptions } from './nats-options.ts';
import { RPC_PROXY, RpcClient } from './rpc-client.ts';

/** Injection symbol of the options of the microservice that answers requests. */
const RPC_SERVER = Symbol('RPC_SERVER');

/** How long requests in flight get when the service stops, in ms. */
const GRACE_MS = 500;

interface MessagingOptions {
  /** The service's name: replicas of one service share its requests. */
  service: string;
  /** Undefined: everything is in this process. */
  natsUrl?: string | undefined;
}

/** Requests and events between services, over NATS or within the process: the same handlers on both. */
@Global()
@Module({})
export class MessagingModule implements OnModuleInit, OnApplicationShutdown {
  static forRoot(options: MessagingOptions): DynamicModule {
    const transport = options.natsUrl === undefined ? inProcess() : overNats(options.service, options.natsUrl);
    return {
      module: MessagingModule,
      providers: [...transport, Events, RpcClient],
      exports: [BUS, Events, RpcClient],
    };
  }

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(RPC_PROXY) private readonly proxy: ClientProxy,
    @Inject(Health) private readonly health: Health,
  ) {}

  onModuleInit(): void {
    this.health.add('messaging', { critical: true, run: () => ({ status: this.bus.connected ? 'up' : 'down' }) });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.proxy.close();
    await this.bus.stop();
  }
}

/** The microservice that answers the requests of other services. */
export const rpcServer = (app: INestApplication): MicroserviceOptions => app.get<MicroserviceOptions>(RPC_SERVER);

/** Whoever is given the bus may subscribe at once. */
const started = async (bus: Bus): Promise<Bus> => {
  await bus.start();
  return bus;
};

/** The bus of a process that is alone. */
export const inProcessBus = (log: Log): Bus => new InProcessBus(log);

const inProcess = () => {
  const hub = new InProcessHub();
  return [
    { provide: BUS, inject: [LOGGER], useFactory: (log: Log) => started(inProcessBus(log)) },
    { provide: RPC_PROXY, useValue: new InProcessRpcClient(hub) },
    { provide: RPC_SERVER, useValue: { strategy: new InProcessRpcServer(hub) } },
  ];
};

/** Loaded where it is chosen: one process alone need not carry a client of NATS. */
async function natsBus(url: string, service: string, log: Log): Promise<Bus> {
  const { NatsBus } = await import('./nats.bus.adapter.ts');
  return new NatsBus(url, service, log);
}

const overNats = (service: string, url: string) => [
  { provide: BUS, inject: [LOGGER], useFactory: async (log: Log) => started(await natsBus(url, service, log)) },
  { provide: RPC_PROXY, useFactory: () => new ClientNats(natsOptions(url, `${service} requests`)) },
  {
    provide: RPC_SERVER,
    useValue: {
      transport: Transport.NATS,
      options: {
        ...natsOptions(url, `${service} answers`),
        queue: service,
        gracefulShutdown: true,
        gracePeriod: GRACE_MS,
      },
    },
  },
];
