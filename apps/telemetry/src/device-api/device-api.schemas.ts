import { z } from 'zod';
import { SelfProvisioning } from '#contracts';

const Values = z.record(z.string(), z.unknown());
const Item = z.union([z.object({ ts: z.number(), values: Values }), Values]);

/** Only described: the parsers of the payloads check. */
export const TelemetryBody = z.union([Item, z.array(Item)]).meta({ id: 'DeviceApiTelemetry' });

export const UploadReceiptView = z
  .object({
    accepted: z.number().int(),
    rejected: z.array(
      z.object({ device: z.string(), key: z.string().nullable(), code: z.string(), message: z.string() }),
    ),
  })
  .meta({ id: 'DeviceApiReceipt' });

export const AttributesBody = Values.meta({ id: 'DeviceApiValues' });

export const AttributesView = z
  .object({ client: Values.optional(), shared: Values.optional() })
  .meta({ id: 'DeviceApiAttributes' });

export const CommandSent = z
  .object({ id: z.number().int(), method: z.string(), params: z.unknown() })
  .meta({ id: 'DeviceApiCommand' });

export const CallBody = z.object({ method: z.string(), params: z.unknown() }).meta({ id: 'DeviceApiCall' });

const Rates = z.object({
  messages: z.string().nullable(),
  telemetryMessages: z.string().nullable(),
  telemetryDataPoints: z.string().nullable(),
});

export const SessionLimitsView = z
  .object({
    maxPayloadSize: z.number().int(),
    maxInflightMessages: z.number().int(),
    rateLimits: Rates,
    gatewayRateLimits: Rates.optional(),
  })
  .meta({ id: 'DeviceApiSessionLimits' });

export const ClaimBody = z
  .object({ secretKey: z.string().max(128).optional(), durationMs: z.number().int().optional() })
  .meta({ id: 'DeviceApiClaim' });

export const ProvisioningBody = SelfProvisioning.omit({ address: true }).meta({ id: 'DeviceApiProvisioning' });

/** Errors below `/api/v1`. */
export const DeviceApiError = z
  .object({ status: z.number().int(), message: z.string(), code: z.string() })
  .meta({ id: 'DeviceApiError' });
