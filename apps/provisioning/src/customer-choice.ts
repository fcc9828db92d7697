import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type UserPrincipal } from '#contracts';
import { RpcClient } from '#messaging';
import { invalidInput } from '#platform';

/** Whose customer something is made for. */
@Injectable()
export class CustomerChoice {
  constructor(@Inject(RpcClient) private readonly rpc: RpcClient) {}

  /**
   * The id of the customer that an administrator names, null for none; for operators, their own. Throws `INVALID_INPUT` for one that
   * is not there, in the same words for one that is not theirs; `FORBIDDEN` for an operator without a customer.
   */
  async ofPerson({ role, customerId }: UserPrincipal, named: string | undefined): Promise<string | null> {
    if (role === 'admin') return named === undefined ? null : this.idOf(named);
    if (customerId === null) {
      throw new CodedError('FORBIDDEN', 'You belong to no customer: have an administrator give you one.');
    }
    return this.only(customerId, named);
  }

  /** The one customer that there is to choose from. Throws `INVALID_INPUT` if another one is named. */
  async only(customerId: string | null, named: string | undefined): Promise<string | null> {
    if (named !== undefined && (await this.idOf(named)) !== customerId) throw notYours();
    return customerId;
  }

  private async idOf(named: string): Promise<string> {
    const found = await this.rpc.call('registry.customers.find', { customer: named });
    if (!found) throw notYours();
    return found.id;
  }
}

const notYours = (): CodedError =>
  invalidInput('/customer', 'is not the id or number of a customer that you may give devices to');
