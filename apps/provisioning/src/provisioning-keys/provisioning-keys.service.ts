import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { CLOCK, invalidInput, uuid7, type Clock } from '#platform';
import { keysetPage, orderOf } from '#sql';
import { CustomerChoice } from '../customer-choice.ts';
import { PROVISIONING } from '../data-source-name.ts';
import { expiredKey, unknownKey } from './key-refusals.ts';
import { ProvisioningKeyEntity } from './provisioning-key.entity.ts';
import {
  keyView,
  type IssuedProvisioningKey,
  type NewProvisioningKey,
  type ProvisioningKeyQuery,
  type ProvisioningKeyView,
} from './provisioning-key.schemas.ts';
import { hashOf, randomKey } from './secret.ts';

const SORTED_BY = { createdAt: 'id', name: 'sortName' } as const;

/** Keys with which devices provision themselves: administrators keep all of them, operators those of their customer. */
@Injectable()
export class ProvisioningKeys {
  constructor(
    @InjectDataSource(PROVISIONING) private readonly dataSource: DataSource,
    @Inject(CustomerChoice) private readonly customers: CustomerChoice,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Throws `INVALID_INPUT` for a customer that is not the caller's, and for a time that is over; `FORBIDDEN`. */
  async issue(
    caller: UserPrincipal,
    { name, customer, expiresAt, maxUses }: NewProvisioningKey,
  ): Promise<IssuedProvisioningKey> {
    const now = this.now();
    if (expiresAt !== undefined && expiresAt <= now) throw invalidInput('/expiresAt', 'must lie in the future');
    const customerId = await this.customers.ofPerson(caller, customer);
    const key = randomKey();
    const row = this.dataSource.manager.create(ProvisioningKeyEntity, {
      id: uuid7(now),
      name,
      sortName: name.toLowerCase(),
      secretHash: hashOf(key),
      customerId,
      createdBy: caller.userId,
      maxUses: maxUses ?? null,
      uses: 0,
      expiresAt: expiresAt === undefined ? null : new Date(expiresAt),
      createdAt: new Date(now),
    });
    await this.dataSource.manager.insert(ProvisioningKeyEntity, row);
    return { ...keyView(row), key };
  }

  async list(
    caller: UserPrincipal,
    { sort, q, customer, ...page }: ProvisioningKeyQuery,
  ): Promise<Page<ProvisioningKeyView>> {
    const query = this.dataSource.getRepository(ProvisioningKeyEntity).createQueryBuilder('key').where('1 = 1');
    if (caller.role !== 'admin') query.andWhere('key.customerId = :own', { own: caller.customerId ?? '' });
    if (customer !== undefined) query.andWhere('key.customerId = :customer', { customer });
    if (q !== undefined) query.andWhere("key.sortName LIKE :begin ESCAPE '!'", { begin: beginningWith(q) });
    const { items, nextCursor } = await keysetPage(query, orderOf<ProvisioningKeyEntity>(sort, SORTED_BY), page);
    return { items: items.map(keyView), nextCursor };
  }

  /** From now on it lets nobody in; devices that it let in stay. Throws `NOT_FOUND` for one that is not the caller's. */
  async revoke(caller: UserPrincipal, id: string): Promise<void> {
    const own = caller.role === 'admin' ? { id } : { id, customerId: caller.customerId ?? '' };
    const { affected } = await this.dataSource.manager.delete(ProvisioningKeyEntity, own);
    if (affected !== 1) throw new CodedError('NOT_FOUND', `There is no provisioning key ${id} among yours.`);
  }

  /** Whose key is it? Throws `BAD_CREDENTIALS`, `TOKEN_EXPIRED`. */
  async verify(key: string): Promise<ProvisioningKeyEntity> {
    const row = await this.dataSource.manager.findOneBy(ProvisioningKeyEntity, { secretHash: hashOf(key) });
    if (!row) throw unknownKey();
    if (row.expiresAt !== null && row.expiresAt.getTime() <= this.now()) throw expiredKey();
    return row;
  }

  /** The key of that id with that secret. Throws `BAD_CREDENTIALS`, `TOKEN_EXPIRED`. */
  async verifyPair(id: string, secret: string): Promise<ProvisioningKeyEntity> {
    const row = await this.verify(secret);
    if (row.id !== id.toLowerCase()) throw unknownKey();
    return row;
  }
}

/** A LIKE pattern for text that begins with `q` literally. */
const beginningWith = (q: string): string => `${q.toLowerCase().replace(/[!%_]/g, '!$&')}%`;
