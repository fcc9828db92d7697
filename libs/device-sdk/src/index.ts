export type { DeviceReceipt, Trouble } from './answers.ts';
export type { AttributeScopes, AttributesChange, WantedAttributes } from './attributes/attributes.ts';
export type { BackoffOptions } from './backoff.ts';
export { fullJitter } from './backoff.ts';
export type { Clock } from './clock.ts';
export { systemClock } from './clock.ts';
export type { Command, CommandHandler } from './commands/commands.ts';
export * from './device.ts';
export type { FirmwareFile, FirmwareOptions } from './firmware/firmware.ts';
export type { BatchOptions } from './link/sender.ts';
export type { DeviceCredentials, GetToken, Provisioning } from './link/credentials.ts';
export { LinkLostError, RefusedError } from './link/talk.ts';
export type { CommandOutcome, FirmwareKind, FirmwareReport, FirmwareState } from './link/transport.ts';
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
export { type DebugProvisioningOptions, debugProvisioning, provisionDebug } from './provisioning/debug.ts';
export { FileMemory, replaceFile } from './provisioning/file-memory.ts';
export { type KeptLoginOptions, type TokenStore, keptLogin } from './provisioning/kept-login.ts';
export { MemoryMemory, type ProvisioningMemory } from './provisioning/memory.ts';
export { type PairKeys, type PairingOptions, announcePairing } from './provisioning/pairing.ts';
export { type Perseverance, persevere } from './provisioning/persevere.ts';
export { type TwoStepOptions, twoStep } from './provisioning/two-step.ts';
export { type UuidOptions, uuidAndSecret } from './provisioning/uuid.ts';
export {
  ZeroTouch,
  type ZeroTouchCaller,
  type ZeroTouchDescription,
  type ZeroTouchLocation,
  type ZeroTouchOptions,
  type ZeroTouchPlace,
} from './provisioning/zero-touch.ts';
export { isFinal } from './refusal.ts';
export { type UserLogin, userLogin } from './user-login.ts';
export { SDK_VERSION } from './version.ts';
