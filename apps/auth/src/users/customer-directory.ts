import { Inject, Injectable } from '@nestjs/common';
import { CodedError } from '#contracts';
import { RpcClient } from '#messaging';

/** The registry's customers, as far as users need them. */
@Injectable()
export class CustomerDirectory {
  constructor(@Inject(RpcClient) private readonly rpc: RpcClient) {}

  /** By id or number; null if there is none. Throws `UNAVAILABLE` while the registry is away. */
  find(customer: string): Promise<{ id: string; number: string } | null> {
    return this.rpc.call('registry.customers.find', { customer });
  }

  /** The id of a customer that must exist; null stays null. Throws `INVALID_INPUT`. */
  async idOf(customer: string | null): Promise<string | null> {
    if (customer === null) return null;
    const found = await this.find(customer);
    if (found) return found.id;
    const message = `there is no customer "${customer}": give the id or the number of one`;
    throw new CodedError('INVALID_INPUT', `/customer: ${message}`, { errors: [{ path: '/customer', message }] });
  }
}
