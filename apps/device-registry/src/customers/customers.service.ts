import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { EntityManager } from 'typeorm';
import { DataSource } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { RpcClient } from '#messaging';
import { requireMatch, uuid7 } from '#platform';
import { inTransaction, isUniqueViolation, keysetPage, orderOf, rowLock } from '#sql';
import { CLOCK, type Clock } from '../clock.ts';
import { rangeOf } from '../devices/search-terms.ts';
import { REGISTRY } from '../data-source-name.ts';
import { CustomerEntity } from './customer.entity.ts';
import {
  customerView,
  type CustomerDocument,
  type CustomerPatch,
  type CustomerQuery,
  type CustomerView,
} from './customer.schemas.ts';

const SORTED_BY = { createdAt: 'id', number: 'number', name: 'sortName' } as const;

/** Customers: administrators keep them, operators see their own. */
@Injectable()
export class Customers {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async list(caller: UserPrincipal, { sort, q, ...page }: CustomerQuery): Promise<Page<CustomerView>> {
    const query = this.dataSource.getRepository(CustomerEntity).createQueryBuilder('customer');
    if (caller.role !== 'admin') query.andWhere('customer.id = :own', { own: caller.customerId ?? '' });
    if (q !== undefined) {
      query.andWhere(
        '((customer.number >= :number AND customer.number < :numberEnd) OR (customer.sortName >= :name AND customer.sortName < :nameEnd))',
        {
          number: q,
          numberEnd: rangeOf(q).to,
          name: q.toLowerCase(),
          nameEnd: rangeOf(q.toLowerCase()).to,
        },
      );
    }
    const { items, nextCursor } = await keysetPage(query, orderOf<CustomerEntity>(sort, SORTED_BY), page);
    return { items: items.map(customerView), nextCursor };
  }

  /** Throws `NOT_FOUND` for a customer that is not there or not the caller's. */
  async get(caller: UserPrincipal, id: string): Promise<CustomerView> {
    const isVisible = caller.role === 'admin' || caller.customerId === id;
    const row = isVisible ? await this.dataSource.manager.findOneBy(CustomerEntity, { id }) : null;
    if (!row) throw notFound(id);
    return customerView(row);
  }

  /** Throws `CUSTOMER_NUMBER_TAKEN`. */
  async create(document: CustomerDocument): Promise<CustomerView> {
    const now = this.now();
    const row = this.dataSource.manager.create(CustomerEntity, {
      ...columnsOf(document),
      id: uuid7(now),
      deviceCount: 0,
      version: 1,
      createdAt: new Date(now),
      updatedAt: new Date(now),
    });
    await orNumberTaken(document.number, () => this.dataSource.manager.insert(CustomerEntity, row));
    return customerView(row);
  }

  /** Throws `NOT_FOUND`, `CUSTOMER_NUMBER_TAKEN`, `VERSION_MISMATCH`. A limit below the present number of devices only stops new ones. */
  async change(id: string, patch: CustomerPatch, ifMatch: string | undefined): Promise<CustomerView> {
    return inTransaction(this.dataSource, async (manager) => {
      const row = await lockedCustomer(manager, id);
      requireMatch(ifMatch, row.version);
      const { number, name, deviceLimit } = { ...row, ...patch };
      const change = {
        ...columnsOf({ number, name, deviceLimit }),
        version: row.version + 1,
        updatedAt: new Date(this.now()),
      };
      await orNumberTaken(number, () => manager.update(CustomerEntity, { id }, change));
      return customerView({ ...row, ...change });
    });
  }

  /** Throws `NOT_FOUND`, `CUSTOMER_IN_USE` while there are devices or users of it, `VERSION_MISMATCH`. */
  async remove(id: string, ifMatch: string | undefined): Promise<void> {
    const users = await this.rpc.call('auth.users.count', { customerId: id });
    await inTransaction(this.dataSource, async (manager) => {
      const row = await lockedCustomer(manager, id);
      requireMatch(ifMatch, row.version);
      if (users.count > 0 || row.deviceCount > 0) throw inUse(row.deviceCount, users.count);
      await manager.delete(CustomerEntity, { id });
    });
  }

  /** By id, else by number; null if there is none. */
  async find(customer: string): Promise<{ id: string; number: string } | null> {
    const row =
      (await this.dataSource.manager.findOneBy(CustomerEntity, { id: customer })) ??
      (await this.dataSource.manager.findOneBy(CustomerEntity, { number: customer }));
    return row && { id: row.id, number: row.number };
  }
}

const columnsOf = ({ number, name, deviceLimit }: CustomerDocument) => ({
  number,
  name,
  sortName: name.toLowerCase(),
  deviceLimit,
});

async function lockedCustomer(manager: EntityManager, id: string): Promise<CustomerEntity> {
  const row = await manager.findOne(CustomerEntity, { where: { id }, lock: rowLock(manager) });
  if (!row) throw notFound(id);
  return row;
}

const notFound = (id: string): CodedError =>
  new CodedError('NOT_FOUND', `There is no customer ${id} among those you may see.`);

const inUse = (devices: number, users: number): CodedError =>
  new CodedError(
    'CUSTOMER_IN_USE',
    `The customer still has ${String(devices)} devices and ${String(users)} users: move or delete those first.`,
  );

async function orNumberTaken(number: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new CodedError(
      'CUSTOMER_NUMBER_TAKEN',
      `Another customer has the number "${number}": choose a different one.`,
    );
  }
}
