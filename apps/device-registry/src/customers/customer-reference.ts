import type { EntityManager } from 'typeorm';
import type { UserPrincipal } from '#contracts';
import { mayPlaceWith } from '../devices/device-policy.ts';
import { CustomerEntity } from './customer.entity.ts';
import { noSuchCustomer } from './device-places.ts';

/** A customer as somebody names it, by its id, else by its number; null if there is none. */
export const customerNamed = async (manager: EntityManager, reference: string): Promise<CustomerEntity | null> =>
  (await manager.findOneBy(CustomerEntity, { id: reference })) ??
  (await manager.findOneBy(CustomerEntity, { number: reference }));

/**
 * The id of the customer that somebody gives something to. Throws `INVALID_INPUT`, in the same words for one that does not exist and
 * one that is not theirs.
 */
export async function placeOf(
  manager: EntityManager,
  caller: UserPrincipal,
  reference: string | null,
): Promise<string | null> {
  const customer = reference === null ? null : await customerNamed(manager, reference);
  if (reference !== null && !customer) throw noSuchCustomer();
  const id = customer?.id ?? null;
  if (!mayPlaceWith(caller, id)) throw noSuchCustomer();
  return id;
}
