import type { EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { invalidInput } from '#platform';
import { rowLock } from '#sql';
import { CustomerEntity } from './customer.entity.ts';

/**
 * Counts one device more for a customer (none for null), in the transaction that adds the device: the update holds the
 * customer's row until then, so that no number of requests at once goes beyond the limit.
 * Throws `DEVICE_LIMIT_REACHED`, or `INVALID_INPUT` if there is no such customer.
 */
export async function takePlace(manager: EntityManager, customerId: string | null): Promise<void> {
  if (customerId === null) return;
  const { affected } = await manager
    .createQueryBuilder()
    .update(CustomerEntity)
    .set({ deviceCount: () => 'device_count + 1' })
    .where('id = :customerId AND (device_limit IS NULL OR device_count < device_limit)', { customerId })
    .execute();
  if (affected === 1) return;
  if (!(await manager.existsBy(CustomerEntity, { id: customerId }))) throw noSuchCustomer();
  throw new CodedError(
    'DEVICE_LIMIT_REACHED',
    'The customer has as many devices as it may have: delete one, or have an administrator raise its deviceLimit.',
  );
}

/**
 * Counts `wanted` devices more for a customer (any number for null), or as many as it may still have, in the transaction that adds
 * them; gives how many. Throws `CONFLICT` if the customer was deleted just now.
 */
export async function takePlaces(manager: EntityManager, customerId: string | null, wanted: number): Promise<number> {
  if (customerId === null || wanted === 0) return wanted;
  const { affected } = await manager
    .createQueryBuilder()
    .update(CustomerEntity)
    .set({ deviceCount: () => 'device_count + :wanted' })
    .where('id = :customerId AND (device_limit IS NULL OR device_count + :wanted <= device_limit)')
    .setParameters({ customerId, wanted })
    .execute();
  return affected === 1 ? wanted : takeWhatIsFree(manager, customerId);
}

/** Fewer places are free than were asked for. */
async function takeWhatIsFree(manager: EntityManager, id: string): Promise<number> {
  const customer = await manager.findOne(CustomerEntity, { where: { id }, lock: rowLock(manager) });
  if (!customer) throw new CodedError('CONFLICT', 'The customer was deleted just now.');
  const free = Math.max(0, (customer.deviceLimit ?? customer.deviceCount) - customer.deviceCount);
  if (free > 0) await manager.increment(CustomerEntity, { id }, 'deviceCount', free);
  return free;
}

/** Counts one device less for a customer. */
export async function leavePlace(manager: EntityManager, customerId: string | null): Promise<void> {
  if (customerId === null) return;
  await manager.decrement(CustomerEntity, { id: customerId }, 'deviceCount', 1);
}

/** Moves one device: both rows are locked in one order, so that two moves in opposite directions do not wait for each other. */
export async function movePlace(manager: EntityManager, from: string | null, to: string | null): Promise<void> {
  if (from === to) return;
  const leaveFirst = from !== null && (to === null || from < to);
  if (leaveFirst) await leavePlace(manager, from);
  await takePlace(manager, to);
  if (!leaveFirst) await leavePlace(manager, from);
}

/** The same answer for a customer that does not exist and for one that is not the caller's. */
export const noSuchCustomer = (): CodedError =>
  invalidInput('/customer', 'is neither the id nor the number of a customer that you may give this to');
