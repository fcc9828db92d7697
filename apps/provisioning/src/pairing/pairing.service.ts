import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { LessThan, Not, type DataSource, type EntityManager } from 'typeorm';
import { CodedError, type DeviceRef } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, isUniqueViolation, rowLock } from '#sql';
import { PROVISIONING } from '../data-source-name.ts';
import { hashOf } from '../provisioning-keys/secret.ts';
import { PairTicketEntity } from './pair-ticket.entity.ts';
import { deviceClaimKey } from './device-claim-key.ts';
import { ClaimRequest, type PairReply, type PairRequest } from './pairing.schemas.ts';

/** How long a device waits that does not say, in ms: a day. */
const DURATION_MS = 86_400_000;

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
    return this.wait(device, { pairKey, ownerKey, durationMs: validSeconds * 1_000 });
  }

  /**
   * Begins to wait, or waits on, to be claimed by its name and a secret. Throws `ALREADY_CLAIMED` for a device that belongs to somebody,
   * `PAIR_KEY_TAKEN` while another device of that name waits with that secret, `INVALID_INPUT` for a secret that nobody could enter.
   */
  async announceNamed(
    device: DeviceRef,
    { secretKey, durationMs = DURATION_MS }: { secretKey: string; durationMs?: number | undefined },
  ): Promise<PairReply> {
    if (device.ownerId !== null) throw belongsToSomebody();
    const { pairKey } = ClaimRequest.parse({ pairKey: deviceClaimKey(device.name, secretKey) });
    return this.wait(device, { pairKey, ownerKey: secretKey, durationMs });
  }

  private async wait(
    device: DeviceRef,
    { pairKey, ownerKey, durationMs }: { pairKey: string; ownerKey: string; durationMs: number },
  ): Promise<PairReply> {
    const ticket: PairTicketEntity = {
      deviceId: device.id,
      pairKeyHash: hashOf(pairKey),
      ownerKeyHash: hashOf(ownerKey),
      claimedBy: null,
      expiresAt: new Date(this.now() + durationMs),
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

const belongsToSomebody = (): CodedError =>
  new CodedError('ALREADY_CLAIMED', 'The device has an owner, who has to release it before anybody can claim it.');

const claimedAlready = (): CodedError =>
  new CodedError(
    'ALREADY_CLAIMED',
    'The device was claimed by that pair key and has an owner: there is nothing to wait for.',
  );
