import { z } from 'zod';
import { DeviceAction, DevicePrincipal, DeviceRef, Principal } from './devices.ts';
import { Jwks, Revocations } from './people.ts';

const Nothing = z.object({});

/** Every request between services: subject -> request and reply. */
export const RPC = {
  /** The public keys of access tokens. */
  'auth.jwks': { request: Nothing, reply: Jwks },
  /** Everything revoked that could still be within its time; asked at start and after a lost connection. */
  'auth.revocations': { request: Nothing, reply: Revocations },
  /** How many users a customer has; asked before a customer is deleted. */
  'auth.users.count': { request: z.object({ customerId: z.uuid() }), reply: z.object({ count: z.number().int() }) },
  /** Whose secret is this? `BAD_CREDENTIALS` if nobody's. */
  'registry.credentials.verify': {
    request: z.object({ kind: z.literal('token'), token: z.string().min(1).max(512) }),
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
  /** Is there such a customer? By id or by number; null if not. */
  'registry.customers.find': {
    request: z.object({ customer: z.string().min(1).max(64) }),
    reply: z.object({ id: z.uuid(), number: z.string() }).nullable(),
  },
} as const satisfies Record<string, { request: z.ZodType; reply: z.ZodType }>;

export type RpcSubject = keyof typeof RPC;
export type RpcRequest<S extends RpcSubject> = z.output<(typeof RPC)[S]['request']>;
export type RpcReply<S extends RpcSubject> = z.output<(typeof RPC)[S]['reply']>;
