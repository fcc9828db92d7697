import { CodedError } from '#contracts';
import { z } from 'zod';
import { type BackoffOptions } from '../backoff.ts';
import { type Clock, systemClock } from '../clock.ts';
import { ask, at, bearer, jsonPost } from '../http.ts';
import type { DeviceCredentials, Provisioning } from '../link/credentials.ts';
import { isUnauthenticated } from './kept-login.ts';
import { pause, persevere } from './persevere.ts';

const Announced = z.object({ expiresAt: z.union([z.number(), z.iso.datetime({ offset: true })]) });

/** What the mobile app gave a device, for its user to claim it by. */
export interface PairKeys {
  pairKey: string;
  /** A secret of the app's making. */
  ownerKey: string;
}

/** A device that waits to be claimed. */
export interface PairingOptions extends PairKeys {
  url: string;
  /** How the device itself is let in. */
  provisioning: Provisioning;
  /** How long one announcement is to be good, in seconds; 600 by default. */
  validSeconds?: number;
  /** How long to go on, in milliseconds; until it is stopped by default. */
  forMs?: number;
  /** Told of every announcement, with the time until which it is good, ms since the epoch. */
  onAnnounced?: (expiresAt: number) => void;
  /** Told of every announcement that failed and is made again. */
  onRetry?: (failure: { error: unknown; retryInMs: number }) => void;
  signal?: AbortSignal;
  backoff?: Partial<BackoffOptions>;
  clock?: Clock;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/** An announcement is renewed when this part of its time is over. */
const RENEW_AFTER = 1 / 2;

/**
 * Announces a device by `POST /provisioning/pair`, again and again before the announcement ends, so that a user of the mobile app can
 * claim it at any time meanwhile. Readings flow independently of this. Resolves when the device has an owner, the time is over, or
 * it was stopped; a refusal that is final is thrown.
 *
 * @throws {CodedError} `PAIR_KEY_TAKEN` when another device waits with that key.
 */
export async function announcePairing(options: PairingOptions): Promise<'claimed' | 'over' | 'stopped'> {
  const { clock = systemClock, forMs = Infinity, validSeconds = 600, signal, onAnnounced } = options;
  const end = clock.now() + forMs;
  while (!signal?.aborted) {
    const expiresAt = await announceOnce(options, validSeconds, end - clock.now()).catch(whetherOver);
    if (expiresAt === undefined) return signal?.aborted ? 'stopped' : 'claimed';
    onAnnounced?.(expiresAt);
    const renewInMs = renewalOf(expiresAt - clock.now(), validSeconds * 1_000);
    if (clock.now() + renewInMs >= end) {
      if (end > clock.now()) await pause(clock, end - clock.now(), signal);
      return signal?.aborted ? 'stopped' : 'over';
    }
    await pause(clock, renewInMs, signal);
  }
  return 'stopped';

  function whetherOver(error: unknown): undefined {
    if (signal?.aborted || CodedError.from(error)?.code === 'ALREADY_CLAIMED') return undefined;
    throw error;
  }
}

/** The device's clock may be wrong: its reckoning counts only within what was asked for. */
function renewalOf(leftMs: number, askedMs: number): number {
  const validMs = leftMs > 0 && leftMs < askedMs ? leftMs : askedMs;
  return Math.max(1_000, validMs * RENEW_AFTER);
}

function announceOnce(options: PairingOptions, validSeconds: number, giveUpAfterMs: number): Promise<number> {
  const { url, provisioning, pairKey, ownerKey } = options;
  const announceBy = async (credentials: DeviceCredentials): Promise<number> => {
    const body = { pairKey, ownerKey, validSeconds };
    const { expiresAt } = await ask(
      Announced,
      at(url, '/provisioning/pair'),
      jsonPost(body, authorization(credentials)),
    );
    return typeof expiresAt === 'number' ? expiresAt : Date.parse(expiresAt);
  };
  return persevere(
    async () => {
      const credentials = await provisioning.enter();
      try {
        return await announceBy(credentials);
      } catch (error) {
        if (!isUnauthenticated(error)) throw error;
        return announceBy(await provisioning.enter(credentials));
      }
    },
    { ...options, giveUpAfterMs },
  );
}

/** RFC 6750 for tokens, RFC 7617 for passwords. */
const authorization = (credentials: DeviceCredentials): { authorization: string } =>
  'token' in credentials
    ? bearer(credentials.token)
    : { authorization: `Basic ${Buffer.from(`${credentials.userName}:${credentials.password}`).toString('base64')}` };
