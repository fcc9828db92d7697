import { Controller, Inject } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { Customers } from './customers.service.ts';

/** What other services ask about customers. */
@Controller()
export class CustomersHandlers {
  constructor(@Inject(Customers) private readonly customers: Customers) {}

  @Rpc('registry.customers.find')
  find({ customer }: RpcRequest<'registry.customers.find'>): Promise<RpcReply<'registry.customers.find'>> {
    return this.customers.find(customer);
  }
}
