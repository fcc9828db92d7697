import { z } from 'zod';
import { CodedError, MacAddress } from '#contracts';

const MAC_FIELD = 'mac-address';

/** The MAC address, in the body or in the query; the body may be missing. */
const Request = z.strictObject({ [MAC_FIELD]: MacAddress.optional() });
export const DebugProvisioningQuery = Request;
export const DebugProvisioningBody = Request.optional().meta({ id: 'DebugProvisioningRequest' });
export type DebugProvisioningRequest = z.output<typeof Request>;

/** The access token of the device of that MAC address. */
export const DebugProvisioningReply = z.object({ 'access-token': z.string() }).meta({ id: 'DebugProvisioningReply' });
export type DebugProvisioningReply = z.output<typeof DebugProvisioningReply>;

/** The one MAC address of a request, canonical. Throws `INVALID_INPUT` if there is none, or two that differ. */
export function requestedMac(body: DebugProvisioningRequest | undefined, query: DebugProvisioningRequest): string {
  const inBody = body?.[MAC_FIELD];
  const inQuery = query[MAC_FIELD];
  const mac = inBody ?? inQuery;
  if (mac === undefined) {
    throw invalid('is needed, in the body as {"mac-address": "CE:13:14:15"} or as ?mac-address=CE:13:14:15');
  }
  if (inQuery !== undefined && inQuery !== mac) throw invalid('is another one in the body than in the query');
  return mac;
}

const invalid = (message: string): CodedError =>
  new CodedError('INVALID_INPUT', `/${MAC_FIELD}: ${message}.`, { errors: [{ path: `/${MAC_FIELD}`, message }] });
