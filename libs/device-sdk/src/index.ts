export type { DeviceReceipt, Trouble } from './answers.ts';
export type { BackoffOptions } from './backoff.ts';
export { fullJitter } from './backoff.ts';
export type { Clock } from './clock.ts';
export { systemClock } from './clock.ts';
export * from './device.ts';
export type { BatchOptions } from './link/sender.ts';
export type { GetToken } from './link/tokens.ts';
export { FileOutbox, type FileOutboxOptions } from './outbox/file-outbox.ts';
export { MemoryOutbox } from './outbox/memory-outbox.ts';
export {
  type Outbox,
  type OutboxBounds,
  type OutboxEntry,
  OutboxFullError,
  OutboxLockedError,
  type PeekLimit,
  type PutResult,
} from './outbox/outbox.ts';
export { provisionDebug } from './provisioning.ts';
export { type UserLogin, userLogin } from './user-login.ts';
