import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { LessThan, type DataSource, type EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, rowLock } from '#sql';
import { PROVISIONING } from '../data-source-name.ts';
import { unknownKey } from './key-refusals.ts';
import { KeyUseEntity, ProvisioningKeyEntity } from './provisioning-key.entity.ts';
import { hashOf } from './secret.ts';

/** After this time a request is no longer under way, whatever became of whoever counted it, in ms. */
const UNDER_WAY_MS = 60_000;

/** One use of a key by one device. */
export interface KeyUse {
  keyId: string;
  deviceHash: string;
}

/**
 * How often a key has been used. A use is taken before a device is made, confirmed when it is, and given back if it was not: at no time
 * are more devices let in than the key says, and no request that failed costs one.
 */
@Injectable()
export class KeyUses {
  constructor(
    @InjectDataSource(PROVISIONING) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Lets a device in by what is done, which counts as a use of the key if it succeeds. Throws as {@link take} and `letIn` do. */
  async counted<T>(keyId: string, device: string, letIn: () => Promise<T>): Promise<T> {
    const use = await this.take(keyId, device);
    try {
      const result = await letIn();
      if (use) await this.confirm(use);
      return result;
    } catch (error) {
      if (use) await this.giveBack(use);
      throw error;
    }
  }

  /**
   * Null for a device that was let in before. Throws `PROVISIONING_KEY_USED_UP`, and `BAD_CREDENTIALS` if the key was revoked just
   * now.
   */
  async take(keyId: string, device: string): Promise<KeyUse | null> {
    const use = { keyId, deviceHash: hashOf(device) };
    if (await this.dataSource.manager.existsBy(KeyUseEntity, { ...use, confirmed: true })) return null;
    await inTransaction(this.dataSource, async (manager) => {
      const key = await heldKey(manager, keyId);
      if (!key) throw unknownKey();
      const askedAt = new Date(this.now());
      const known = await manager.findOneBy(KeyUseEntity, use);
      if (known) await manager.update(KeyUseEntity, use, { pending: known.pending + 1, askedAt });
      else await this.count(manager, key, use, askedAt);
    });
    return use;
  }

  /** The device was let in. */
  async confirm(use: KeyUse): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      if (!(await heldKey(manager, use.keyId))) return;
      const known = await manager.findOneBy(KeyUseEntity, use);
      if (known) await manager.update(KeyUseEntity, use, { confirmed: true, pending: Math.max(0, known.pending - 1) });
    });
  }

  /** The device was not let in, and by no other of its requests before. */
  async giveBack(use: KeyUse): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      if (!(await heldKey(manager, use.keyId))) return;
      const known = await manager.findOneBy(KeyUseEntity, use);
      if (!known) return;
      if (known.confirmed || known.pending > 1) {
        await manager.update(KeyUseEntity, use, { pending: Math.max(0, known.pending - 1) });
      } else {
        await manager.delete(KeyUseEntity, use);
        await manager.decrement(ProvisioningKeyEntity, { id: use.keyId }, 'uses', 1);
      }
    });
  }

  private async count(manager: EntityManager, key: ProvisioningKeyEntity, use: KeyUse, askedAt: Date): Promise<void> {
    if (key.uses === key.maxUses) await this.giveBackOver(manager, key);
    const { affected } = await manager
      .createQueryBuilder()
      .update(ProvisioningKeyEntity)
      .set({ uses: () => 'uses + 1' })
      .where('id = :id AND (max_uses IS NULL OR uses < max_uses)', { id: key.id })
      .execute();
    if (affected !== 1) throw usedUp(key);
    await manager.insert(KeyUseEntity, { ...use, confirmed: false, pending: 1, askedAt });
  }

  /** Uses of requests whose service ended in the middle of them. */
  private async giveBackOver(manager: EntityManager, key: ProvisioningKeyEntity): Promise<void> {
    const over = { keyId: key.id, confirmed: false, askedAt: LessThan(new Date(this.now() - UNDER_WAY_MS)) };
    const { affected } = await manager.delete(KeyUseEntity, over);
    if (affected) await manager.decrement(ProvisioningKeyEntity, { id: key.id }, 'uses', affected);
  }
}

const heldKey = (manager: EntityManager, id: string): Promise<ProvisioningKeyEntity | null> =>
  manager.findOne(ProvisioningKeyEntity, { where: { id }, lock: rowLock(manager) });

const usedUp = ({ name, maxUses }: ProvisioningKeyEntity): CodedError =>
  new CodedError(
    'PROVISIONING_KEY_USED_UP',
    `The provisioning key "${name}" has let in ${String(maxUses)} devices, as many as it may: have a new one made (POST /api/provisioning/keys). Those that it let in may go on using it.`,
  );
