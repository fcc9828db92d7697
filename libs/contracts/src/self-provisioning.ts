import { z } from 'zod';
import { DeviceRef } from './devices.ts';

/** Credentials as a device asks for them or gets them; without any, an access token of the platform's making. */
export const AskedCredentials = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('access-token'), token: z.string().min(1).max(128).optional() }),
  z.object({
    kind: z.literal('mqtt-basic'),
    clientId: z.string().min(1).max(256).optional(),
    userName: z.string().min(1).max(256).optional(),
    password: z.string().min(1).max(256).optional(),
  }),
  z.object({
    kind: z.literal('certificate'),
    /** SHA-256 of its DER form, hexadecimal. */
    fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
    /** When its own time is over, ms since the epoch. */
    expiresAt: z.number().int(),
  }),
]);
export type AskedCredentials = z.output<typeof AskedCredentials>;

/** The device that a provisioning key lets in. */
export const SelfProvisioned = z.object({
  name: z.string().min(1).max(128),
  customerId: z.uuid().nullable(),
  gateway: z.boolean(),
  keyId: z.uuid(),
  credentials: AskedCredentials,
});

/** Whoever made the token, this is the only time that it is told. */
export const SelfProvisionedReply = z.object({ device: DeviceRef, credentials: AskedCredentials });

/**
 * What a device sends to provision itself, as ThingsBoard's device API has it: the key is the id of a provisioning key, the secret is its
 * secret. `address` is where it calls from.
 */
export const SelfProvisioning = z.object({
  address: z.string().max(64),
  deviceName: z.string().max(256).optional(),
  provisionDeviceKey: z.string().max(256),
  provisionDeviceSecret: z.string().max(256),
  credentialsType: z.enum(['ACCESS_TOKEN', 'MQTT_BASIC', 'X509_CERTIFICATE']).optional(),
  token: z.string().max(256).optional(),
  clientId: z.string().max(256).optional(),
  username: z.string().max(256).optional(),
  password: z.string().max(256).optional(),
  hash: z.string().max(16_384).optional(),
  gateway: z.boolean().optional(),
});
export type SelfProvisioning = z.output<typeof SelfProvisioning>;

export const SelfProvisioningReply = z.union([
  z.object({
    status: z.literal('SUCCESS'),
    credentialsType: z.enum(['ACCESS_TOKEN', 'MQTT_BASIC', 'X509_CERTIFICATE']),
    /** A token, or for `MQTT_BASIC` an object. */
    credentialsValue: z.union([
      z.string(),
      z.object({ clientId: z.string().optional(), userName: z.string().optional(), password: z.string().optional() }),
    ]),
  }),
  z.object({ status: z.enum(['NOT_FOUND', 'FAILURE']), errorMsg: z.string() }),
]);
export type SelfProvisioningReply = z.output<typeof SelfProvisioningReply>;
