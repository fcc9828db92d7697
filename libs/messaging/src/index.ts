export * from './bus.ts';
export * from './events.ts';
export * from './messaging.module.ts';
export * from './rpc-client.ts';
export * from './rpc.decorator.ts';
