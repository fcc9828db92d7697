import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsNull, type Repository } from 'typeorm';
import { CodedError, type DeviceRef, type UserPrincipal } from '#contracts';
import { RpcClient } from '#messaging';
import { CLOCK, LOGGER, networkOf, type Clock, type Log } from '#platform';
import { Attempts, counterOf, type Counter } from '#sql';
import { PROVISIONING } from '../data-source-name.ts';
import { hashOf } from '../provisioning-keys/secret.ts';
import { PairTicketEntity } from './pair-ticket.entity.ts';
import type { ClaimRequest } from './pairing.schemas.ts';

/** Wrong pair keys that one person may try within a window. */
const USER_LIMIT = 20;
/** Those that may come from one address: many people are behind some. */
const ADDRESS_LIMIT = 200;

/** People claim the devices that wait for them. The registry decides who owns what; a ticket is only the way to a device. */
@Injectable()
export class Claims {
  constructor(
    @InjectRepository(PairTicketEntity, PROVISIONING) private readonly tickets: Repository<PairTicketEntity>,
    @Inject(Attempts) private readonly attempts: Attempts,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  /**
   * Throws `PAIR_KEY_UNKNOWN`, `PAIR_KEY_EXPIRED`, `ALREADY_CLAIMED`, `OWN_DEVICE`, `UNAVAILABLE`, and `TOO_MANY_ATTEMPTS` after wrong
   * keys.
   */
  async claim(user: UserPrincipal, address: string, request: ClaimRequest): Promise<DeviceRef> {
    const counters = [
      counterOf('user', [user.userId], USER_LIMIT),
      counterOf('address', [networkOf(address)], ADDRESS_LIMIT),
    ];
    await this.take(counters);
    try {
      const device = await this.claimed(user, request);
      await this.giveBack(counters);
      return device;
    } catch (error) {
      if (!isGuess(error)) await this.giveBack(counters);
      throw error;
    }
  }

  private async claimed(user: UserPrincipal, { pairKey, ownerKey }: ClaimRequest): Promise<DeviceRef> {
    const ticket = await this.tickets.findOneBy({ pairKeyHash: hashOf(pairKey) });
    if (!ticket || (ownerKey !== undefined && ticket.ownerKeyHash !== hashOf(ownerKey))) throw unknownPairKey();
    if (ticket.claimedBy !== null) throw spent(ticket, user);
    if (ticket.expiresAt.getTime() <= this.now()) throw expiredPairKey();
    const { deviceId } = ticket;
    const device = await this.rpc.call('registry.devices.claim', { deviceId, user }).catch((error: unknown) => {
      throw isCode(error, 'NOT_FOUND') ? unknownPairKey() : error;
    });
    await this.spend(ticket, user);
    return device;
  }

  /** The device is theirs whether this succeeds or not: what is left of a ticket leads nowhere else until it expires. */
  private async spend({ deviceId, pairKeyHash }: PairTicketEntity, { userId }: UserPrincipal): Promise<void> {
    try {
      await this.tickets.update({ deviceId, pairKeyHash, claimedBy: IsNull() }, { claimedBy: userId });
    } catch (error) {
      this.log.warn({ err: error, deviceId }, 'a claimed ticket could not be marked as spent; it ends by itself');
    }
  }

  /** Counted for both or for neither. */
  private async take([first, second]: Counter[]): Promise<void> {
    if (first) await this.attempts.take(first);
    try {
      if (second) await this.attempts.take(second);
    } catch (error) {
      if (first) await this.attempts.giveBack(first);
      throw error;
    }
  }

  private async giveBack(counters: Counter[]): Promise<void> {
    for (const counter of counters) await this.attempts.giveBack(counter);
  }
}

const isCode = (error: unknown, code: string): boolean => error instanceof CodedError && error.code === code;

const isGuess = (error: unknown): boolean => isCode(error, 'PAIR_KEY_UNKNOWN') || isCode(error, 'PAIR_KEY_EXPIRED');

const unknownPairKey = (): CodedError =>
  new CodedError(
    'PAIR_KEY_UNKNOWN',
    'No device that you may have waits with that pair key: check it, and that the device is online.',
  );

const expiredPairKey = (): CodedError =>
  new CodedError('PAIR_KEY_EXPIRED', 'The pair key is no longer valid: have the device announce itself again.');

const spent = ({ claimedBy }: PairTicketEntity, { userId }: UserPrincipal): CodedError =>
  claimedBy === userId
    ? new CodedError('OWN_DEVICE', 'You have claimed the device by that pair key already.')
    : new CodedError(
        'ALREADY_CLAIMED',
        'Somebody else has claimed the device by that pair key: its owner has to release it first.',
      );
