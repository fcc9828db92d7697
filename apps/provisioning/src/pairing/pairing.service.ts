import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { LessThan, Not, type DataSource, type EntityManager } from 'typeorm';
import { CodedError, type DeviceRef } from '#contracts';
import { inTransaction, isUniqueViolation, rowLock } from '#sql';
import { CLOCK, type Clock } from '../clock.ts';
import { PROVISIONING } from '../data-source-name.ts';
import { hashOf } from '../provisioning-keys/secret.ts';
import { PairTicketEntity } from './pair-ticket.entity.ts';
import type { PairReply, PairRequest } from './pairing.schemas.ts';

/** Devices announce that they wait to be claimed: one ticket a device, one device a pair key. */
@Injectable()
export class Pairing {
  constructor(
    @InjectDataSource(PROVISIONING) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * Begins to wait, or waits on. Throws `PAIR_KEY_TAKEN` while another device waits with that key, and `ALREADY_CLAIMED` when the
   * device was claimed by this very key and still belongs to somebody.
   */
  async announce(device: DeviceRef, { pairKey, ownerKey, validSeconds }: PairRequest): Promise<PairReply> {
    const ticket: PairTicketEntity = {
      deviceId: device.id,
      pairKeyHash: hashOf(pairKey),
      ownerKeyHash: hashOf(ownerKey),
      claimedBy: null,
      expiresAt: new Date(this.now() + validSeconds * 1_000),
    };
    await this.keep(ticket, device.ownerId);
    return { expiresAt: ticket.expiresAt.getTime() };
  }

  /** Once more if a ticket was kept just now: it may be the device's own. */
  private async keep(ticket: PairTicketEntity, ownerId: string | null, attempts = 2): Promise<void> {
    try {
      await inTransaction(this.dataSource, (manager) => this.replace(manager, ticket, ownerId));
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      if (attempts <= 1) throw pairKeyTaken();
      await this.keep(ticket, ownerId, attempts - 1);
    }
  }

  private async replace(manager: EntityManager, ticket: PairTicketEntity, ownerId: string | null): Promise<void> {
    const { deviceId, pairKeyHash } = ticket;
    const before = await manager.findOne(PairTicketEntity, { where: { deviceId }, lock: rowLock(manager) });
    if (before?.pairKeyHash === pairKeyHash && before.claimedBy !== null && ownerId !== null) throw claimedAlready();
    await this.freeKey(manager, ticket);
    if (before) await manager.update(PairTicketEntity, { deviceId }, ticket);
    else await manager.insert(PairTicketEntity, ticket);
  }

  /** A key that another device waits with no more, because its time is over or it was claimed, is free. */
  private async freeKey(manager: EntityManager, { deviceId, pairKeyHash }: PairTicketEntity): Promise<void> {
    const other = await manager.findOneBy(PairTicketEntity, { pairKeyHash, deviceId: Not(deviceId) });
    if (!other) return;
    if (other.claimedBy === null && other.expiresAt.getTime() > this.now()) throw pairKeyTaken();
    await manager.delete(PairTicketEntity, { deviceId: other.deviceId, pairKeyHash, expiresAt: other.expiresAt });
  }

  /** Deletes tickets whose time has been over for so long that nobody is told so any more. */
  async sweep(keptMs: number): Promise<void> {
    const over = LessThan(new Date(this.now() - keptMs));
    await this.dataSource.manager.delete(PairTicketEntity, { expiresAt: over });
  }
}

const pairKeyTaken = (): CodedError =>
  new CodedError(
    'PAIR_KEY_TAKEN',
    'Another device waits with that pair key: have the app choose a longer, random one.',
  );

const claimedAlready = (): CodedError =>
  new CodedError(
    'ALREADY_CLAIMED',
    'The device was claimed by that pair key and has an owner: there is nothing to wait for.',
  );
