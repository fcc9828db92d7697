import { z } from 'zod';
import { DeviceAction, DevicePrincipal, DeviceRef, Principal } from './devices.ts';
import { ImportRequest, ImportResult, JobView } from './imports.ts';
import { Jwks, Revocations, UserPrincipal } from './people.ts';
import { SelfProvisioned, SelfProvisionedReply, SelfProvisioning, SelfProvisioningReply } from './self-provisioning.ts';
import { ZeroTouchDevice, ZeroTouchResult } from './zero-touch.ts';

const Nothing = z.object({});

/** Every request between services: subject -> request and reply. */
export const RPC = {
  /** The public keys of access tokens. */
  'auth.jwks': { request: Nothing, reply: Jwks },
  /** Everything revoked that could still be within its time; asked at start and after a lost connection. */
  'auth.revocations': { request: Nothing, reply: Revocations },
  /** How many users a customer has; asked before a customer is deleted. */
  'auth.users.count': { request: z.object({ customerId: z.uuid() }), reply: z.object({ count: z.number().int() }) },
  /** The user of that id, or of that email address in any case; null if there is none. */
  'auth.users.find': {
    request: z.union([z.object({ id: z.uuid() }), z.object({ email: z.string().min(3).max(254) })]),
    reply: z.object({ id: z.uuid(), name: z.string(), customerId: z.uuid().nullable() }).nullable(),
  },
  /**
   * Whose secret is this: an access token, a device JWT, or a password with its user name? Or a client certificate, by the SHA-256 of
   * its DER form; or what an MQTT client brings in CONNECT, which may be any of these, or credentials that were set for MQTT.
   * `BAD_CREDENTIALS` if nobody's, `TOKEN_EXPIRED`, `DEVICE_DISABLED`, `NOT_REGISTERED` for a JWT whose device is gone.
   */
  'registry.credentials.verify': {
    request: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('token'), token: z.string().min(1).max(4_096) }),
      z.object({ kind: z.literal('certificate'), fingerprint: z.string().regex(/^[0-9a-f]{64}$/) }),
      z.object({
        kind: z.literal('mqtt'),
        clientId: z.string().max(65_535),
        userName: z.string().max(4_096).optional(),
        password: z.string().max(4_096).optional(),
      }),
      z.object({
        kind: z.literal('password'),
        userName: z.string().min(1).max(256),
        password: z.string().min(1).max(512),
      }),
    ]),
    reply: DevicePrincipal,
  },
  /**
   * May this caller do this to that device? `device` is an id or, for a gateway, the name of a device behind it.
   * `DEVICE_NOT_ALLOWED` if not, with no word on whether there is such a device.
   */
  'registry.devices.authorize': {
    request: z.object({ principal: Principal, device: z.string().min(1).max(128), action: DeviceAction }),
    reply: DeviceRef,
  },
  /** The gateway device that a person's own readings go to when they name no device; made on first use. */
  'registry.devices.defaultGateway': {
    request: z.object({ userId: z.uuid(), customerId: z.uuid().nullable() }),
    reply: DeviceRef,
  },
  /** Finds or makes the device of a MAC address and gives its access token: the same one for the same device, until revoked. */
  'registry.devices.provisionByMac': {
    request: z.object({ macAddress: z.string().min(2).max(64) }),
    reply: z.object({ device: DeviceRef, created: z.boolean(), accessToken: z.string() }),
  },
  /**
   * First of two steps: the device of a customer's number and a MAC address (canonical), made if need be, and a new password, which
   * works once it is activated; the one before is void. `CUSTOMER_UNKNOWN`, `DEVICE_LIMIT_REACHED`, `ALREADY_ACTIVATED`.
   */
  'registry.twoStep.register': {
    request: z.object({ customerNumber: z.string().min(1).max(64), macAddress: z.string().min(2).max(64) }),
    reply: z.object({ deviceId: z.uuid(), password: z.string() }),
  },
  /** Second step; a second time, without effect. `CUSTOMER_UNKNOWN`, `NOT_REGISTERED`, `BAD_CREDENTIALS`. */
  'registry.twoStep.activate': {
    request: z.object({
      customerNumber: z.string().min(1).max(64),
      macAddress: z.string().min(2).max(64),
      password: z.string().min(1).max(512),
    }),
    reply: z.object({ deviceId: z.uuid() }),
  },
  /**
   * A device JWT for the device of this id, which is made unless `onlyKnown`; an agent may name its master.
   * `NOT_REGISTERED`, `FORBIDDEN`, `DEVICE_DISABLED`.
   */
  'registry.devices.requestByUuid': {
    request: z.object({
      uuid: z.uuid(),
      kind: z.enum(['master', 'agent']),
      masterUuid: z.uuid().optional(),
      onlyKnown: z.boolean(),
    }),
    reply: z.object({ device: DeviceRef, token: z.string(), expiresAt: z.number().int() }),
  },
  /**
   * Finds or makes a device with the assets that contain it, all in one transaction, and gives its access token: the same one for the
   * same device, until revoked. `PROFILE_NOT_FOUND`, `DEVICE_LIMIT_REACHED`, `DEVICE_MISMATCH`, `DEVICE_DISABLED`.
   */
  'registry.devices.zeroTouch': { request: ZeroTouchDevice, reply: ZeroTouchResult },
  /** A person becomes the owner of a device that has none. `OWN_DEVICE`, `ALREADY_CLAIMED`, `NOT_FOUND`. */
  'registry.devices.claim': {
    request: z.object({ deviceId: z.uuid(), user: UserPrincipal }),
    reply: DeviceRef,
  },
  /** A person gives up the device of that name that they own. `NOT_FOUND`, `CONFLICT` if they own several of that name. */
  'registry.devices.release': {
    request: z.object({ name: z.string().min(1).max(128), user: UserPrincipal }),
    reply: DeviceRef,
  },
  /**
   * The device of this name behind a gateway, made if it is not there: of the profile of that name, made likewise, and of the gateway's
   * customer. `NOT_A_GATEWAY`, `DEVICE_LIMIT_REACHED`, `INVALID_INPUT` for a name that cannot be one.
   */
  'registry.devices.child': {
    request: z.object({
      gatewayId: z.uuid(),
      name: z.string().min(1).max(128),
      profile: z.string().min(1).max(128).optional(),
    }),
    reply: DeviceRef,
  },
  /** Devices of a profile, in order of their ids, from the one behind `after` on. */
  'registry.devices.ofProfile': {
    request: z.object({ profileId: z.uuid(), after: z.uuid().optional(), limit: z.number().int().min(1).max(1_000) }),
    reply: z.object({ devices: z.array(DeviceRef) }),
  },
  /** A device profile; null if there is none (any more). `inactivitySeconds` null: the platform's default. */
  'registry.profiles.get': {
    request: z.object({ id: z.uuid() }),
    reply: z.object({ id: z.uuid(), name: z.string(), inactivitySeconds: z.number().int().nullable() }).nullable(),
  },
  /**
   * Makes the device of a name with the credentials that it asks for, as {@link SelfProvisioning} says, or lets in again one that the same
   * key let in and that was never heard. `DEVICE_EXISTS`, `DEVICE_DISABLED`, `DEVICE_LIMIT_REACHED`, `INVALID_INPUT`, `CONFLICT` for
   * credentials that are in use.
   */
  'registry.devices.selfProvision': { request: SelfProvisioned, reply: SelfProvisionedReply },
  /**
   * A device provisions itself with a provisioning key over ThingsBoard's device API. Refusals are statuses, not errors, but for
   * `RATE_LIMITED` and those that asking again mends.
   */
  'provisioning.selfProvision': { request: SelfProvisioning, reply: SelfProvisioningReply },
  /**
   * A device says that whoever knows its name and the secret may claim it; with a new secret, the one before is void. `ALREADY_CLAIMED`,
   * `PAIR_KEY_TAKEN`, `INVALID_INPUT` for a secret that nobody could enter.
   */
  'provisioning.claims.announce': {
    request: z.object({
      device: DeviceRef,
      secretKey: z.string().max(128),
      durationMs: z.number().int().min(1).max(31_536_000_000).optional(),
    }),
    reply: z.object({ expiresAt: z.number().int() }),
  },
  /** Readings of the device are durable for the first time: it is active. */
  'registry.devices.heard': { request: z.object({ deviceId: z.uuid() }), reply: Nothing },
  /** Makes devices, each row for itself; a row that is there already, and the same, changes nothing. `UNAVAILABLE`. */
  'registry.devices.import': { request: ImportRequest, reply: ImportResult },
  /** A user is about to be deleted: their devices have no owner any more, and nothing is shared with them. */
  'registry.people.forget': { request: z.object({ userId: z.uuid() }), reply: Nothing },
  /** An import as its starter, or those above them, may see it. `NOT_FOUND`. */
  'provisioning.jobs.get': { request: z.object({ principal: Principal, id: z.uuid() }), reply: JobView },
  /** Is there such a customer? By id or by number; null if not. */
  'registry.customers.find': {
    request: z.object({ customer: z.string().min(1).max(64) }),
    reply: z.object({ id: z.uuid(), number: z.string() }).nullable(),
  },
} as const satisfies Record<string, { request: z.ZodType; reply: z.ZodType }>;

export type RpcSubject = keyof typeof RPC;
export type RpcRequest<S extends RpcSubject> = z.output<(typeof RPC)[S]['request']>;
export type RpcReply<S extends RpcSubject> = z.output<(typeof RPC)[S]['reply']>;
