import { SelfProvisioning } from '#contracts';
import { badPayload, objectOf } from './payload.ts';

/**
 * How a device asks to be provisioned. `address` is where it calls from. A field that is null is one that is missing. Throws `BAD_PAYLOAD`.
 */
export function parseProvisioning(document: unknown, address: string): SelfProvisioning {
  const given = Object.entries(objectOf(document, 'A request for provisioning')).filter(([, value]) => value !== null);
  const parsed = SelfProvisioning.safeParse({ ...Object.fromEntries(given), address });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badPayload(`"${issue?.path.join('.') ?? ''}": ${issue?.message ?? 'not valid'}`);
}
