import type { z } from 'zod';
import type { DeviceKind, ErrorCode, ImportOutcome, ImportRow } from '#contracts';
import { issuesOf } from '#platform';
import { DeviceDocument } from '../devices/device.schemas.ts';
import { identityKey } from '../identity.ts';

/** What a row says of the device itself, by the rules that every device obeys. */
const RowDocument = DeviceDocument.pick({
  name: true,
  kind: true,
  macAddress: true,
  serial: true,
  labels: true,
  attributes: true,
});
type RowDocument = z.output<typeof RowDocument>;

/** A customer or profile that rows name, found beforehand; null for one that is not there or not for this user. */
export type Named = (text: string) => string | null;

/** What the rows of a batch are checked against. */
export interface RowContext {
  /** Of rows that name no customer. */
  customerByDefault: string | null;
  mayPlaceWith: (customerId: string | null) => boolean;
  customer: Named;
  profile: Named;
}

/** A row that obeys every rule that it can obey by itself: a device that may be made. */
export interface Candidate {
  line: number;
  name: string;
  kind: DeviceKind;
  macAddress: string | null;
  serial: string | null;
  customerId: string | null;
  profileId: string | null;
  labels: string[];
  attributes: Record<string, unknown>;
  /** Which fields the row has: the others are not compared with a device that is there. */
  stated: ReadonlySet<StatedField>;
  /** What the device is found by if it has no MAC address, see {@link DeviceEntity.identityKey}. */
  identityKey: string | null;
  /** Equal for rows that mean the same device. */
  identity: string;
}

/** Fields in which a row and a device can differ. */
export type StatedField = 'name' | 'kind' | 'serial' | 'customer' | 'profile' | 'labels' | 'attributes' | 'macAddress';

const STATED: readonly StatedField[] = ['name', 'kind', 'macAddress', 'serial', 'profile', 'labels', 'attributes'];

export const failure = (line: number, code: ErrorCode, field: string | undefined, message: string): ImportOutcome => ({
  line,
  outcome: 'failed',
  code,
  ...(field === undefined ? {} : { field }),
  message,
});

/** The device that a row describes, or why it describes none. */
export function checkRow(row: ImportRow, context: RowContext): Candidate | ImportOutcome {
  const { line, customer, profile, ...document } = row;
  const parsed = RowDocument.safeParse(document);
  if (!parsed.success) return invalid(line, parsed.error);
  const customerId = customer === undefined ? context.customerByDefault : context.customer(customer);
  if ((customer !== undefined && customerId === null) || !context.mayPlaceWith(customerId)) {
    return failure(line, 'CUSTOMER_UNKNOWN', 'customer', 'is not the number or id of a customer that you may use.');
  }
  const profileId = profile === undefined ? null : context.profile(profile);
  if (profile !== undefined && profileId === null) {
    return failure(line, 'PROFILE_NOT_FOUND', 'profile', 'is not the name or id of a device profile.');
  }
  const stated = new Set(STATED.filter((field) => row[field] !== undefined));
  return { line, ...parsed.data, customerId, profileId, stated, ...identityOf(parsed.data, customerId) };
}

/** MAC address within the customer, else serial, else name. */
function identityOf({ macAddress, serial, name }: RowDocument, customerId: string | null) {
  if (macAddress !== null) return { identityKey: null, identity: macIdentity(customerId ?? '', macAddress) };
  const key = serial === null ? identityKey('name', customerId, name) : identityKey('serial', customerId, serial);
  return { identityKey: key, identity: key };
}

/** How a device with a MAC address is told from others. */
export const macIdentity = (customerScope: string, macAddress: string): string => `${customerScope} ${macAddress}`;

function invalid(line: number, error: z.ZodError): ImportOutcome {
  const [issue] = issuesOf(error.issues);
  const field = issue?.path.split('/')[1];
  return failure(line, 'INVALID_INPUT', field, `${issue?.message ?? 'is not valid'}.`);
}
