import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { EntityManager } from 'typeorm';
import { DataSource } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { RpcClient } from '#messaging';
import { CLOCK, requireMatch, uuid7, type Clock } from '#platform';
import { inTransaction, isForeignKeyViolation, isUniqueViolation, keysetPage, orderOf, rowLock } from '#sql';
import { AssetEntity } from '../assets/asset.entity.ts';
import { actorOf, actorsChange, audit, changesBetween, type AuditRecord } from '../audit/audit.ts';
import { rangeOf } from '../devices/search-terms.ts';
import { REGISTRY } from '../data-source-name.ts';
import { customerNamed } from './customer-reference.ts';
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
  async create(caller: UserPrincipal, document: CustomerDocument): Promise<CustomerView> {
    const now = this.now();
    const row = this.dataSource.manager.create(CustomerEntity, {
      ...columnsOf(document),
      id: uuid7(now),
      deviceCount: 0,
      version: 1,
      createdAt: new Date(now),
      updatedAt: new Date(now),
    });
    return inTransaction(this.dataSource, async (manager) => {
      await orNumberTaken(document.number, () => manager.insert(CustomerEntity, row));
      await audit(manager, now, record(caller, 'created', row));
      return customerView(row);
    });
  }

  /** Throws `NOT_FOUND`, `CUSTOMER_NUMBER_TAKEN`, `VERSION_MISMATCH`. A limit below the present number of devices only stops new ones. */
  async change(
    caller: UserPrincipal,
    id: string,
    patch: CustomerPatch,
    ifMatch: string | undefined,
  ): Promise<CustomerView> {
    const now = this.now();
    return inTransaction(this.dataSource, async (manager) => {
      const row = await lockedCustomer(manager, id);
      requireMatch(ifMatch, row.version);
      const { number, name, deviceLimit } = { ...row, ...patch };
      const change = {
        ...columnsOf({ number, name, deviceLimit }),
        version: row.version + 1,
        updatedAt: new Date(now),
      };
      await orNumberTaken(number, () => manager.update(CustomerEntity, { id }, change));
      const after = { ...row, ...change };
      const changes = changesBetween(documentOf(row), documentOf(after));
      if (Object.keys(changes).length > 0) await audit(manager, now, { ...record(caller, 'updated', after), changes });
      return customerView(after);
    });
  }

  /** Throws `NOT_FOUND`, `CUSTOMER_IN_USE` while there are devices, assets or users of it, `VERSION_MISMATCH`. */
  async remove(caller: UserPrincipal, id: string, ifMatch: string | undefined): Promise<void> {
    const users = await this.rpc.call('auth.users.count', { customerId: id });
    await inTransaction(this.dataSource, async (manager) => {
      const row = await lockedCustomer(manager, id);
      requireMatch(ifMatch, row.version);
      const assets = await manager.countBy(AssetEntity, { customerId: id });
      if (users.count + row.deviceCount + assets > 0) throw inUse(row.deviceCount, assets, users.count);
      await orInUse(() => manager.delete(CustomerEntity, { id }));
      await audit(manager, this.now(), record(caller, 'deleted', row));
    });
  }

  /** By id, else by number; null if there is none. */
  async find(customer: string): Promise<{ id: string; number: string } | null> {
    const row = await customerNamed(this.dataSource.manager, customer);
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

const documentOf = ({ number, name, deviceLimit }: CustomerDocument): CustomerDocument => ({
  number,
  name,
  deviceLimit,
});

const record = (
  caller: UserPrincipal,
  what: 'created' | 'updated' | 'deleted',
  { id, name }: CustomerEntity,
): AuditRecord => actorsChange(actorOf(caller), `customer.${what}`, { id, name, customerId: id });

const inUse = (devices: number, assets: number, users: number): CodedError =>
  new CodedError(
    'CUSTOMER_IN_USE',
    `The customer still has ${String(devices)} devices, ${String(assets)} assets and ${String(users)} users: move or delete those first.`,
  );

/** What was given to the customer just now is seen by the database. */
async function orInUse(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!isForeignKeyViolation(error)) throw error;
    throw new CodedError('CUSTOMER_IN_USE', 'The customer was given something just now: move or delete that first.');
  }
}

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
