export * from './devices.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './limits.ts';
export * from './page.ts';
export * from './people.ts';
export * from './readings.ts';
export * from './rpc.ts';
