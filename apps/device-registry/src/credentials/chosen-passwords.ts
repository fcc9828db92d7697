import { Injectable } from '@nestjs/common';
import { CodedError } from '#contracts';
import { Gate } from '#platform';
import type { CredentialEntity } from './credential.entity.ts';

/**
 * What a hash costs: argon2id (the library's default), some 2 ms, so that thousands of devices that come back at once are let in within
 * seconds. Memory in KiB.
 */
const COST = { memoryCost: 4_096, timeCost: 3, parallelism: 1 };
/** The others of libuv's four threads stay free for files and names. */
const AT_ONCE = 2;
/** As many as get their turn before whoever asked stops waiting. */
const LONGEST_LINE = 1_500;
/** Most that wait for one credential: whoever guesses its password does not fill the line for the others. */
const MOST_OF_ONE = 16;
const RETRY_AFTER_MS = 2_000;

/** The library takes memory that a registry without such passwords does not need. */
const argon2 = () => import('@node-rs/argon2');

/** Hashes the passwords that people and devices choose, which can be guessed, and checks them, a few at once. */
@Injectable()
export class ChosenPasswords {
  private readonly gate = new Gate(AT_ONCE, LONGEST_LINE, 'Too many devices log in just now; try again.');
  private readonly asked = new Map<string, number>();

  /** As a PHC string. Throws `UNAVAILABLE` while too many wait. */
  hash(password: string): Promise<string> {
    return this.gate.run(async () => (await argon2()).hash(password, COST));
  }

  /** Is it the password of the credential, which may have none? Throws `UNAVAILABLE` while too many wait, or too many for this one. */
  async matches({ id, passwordHash }: CredentialEntity, password: string): Promise<boolean> {
    if (passwordHash === null) return true;
    const others = this.asked.get(id) ?? 0;
    if (others >= MOST_OF_ONE) throw tooManyOfOne();
    this.asked.set(id, others + 1);
    try {
      return await this.gate.run(async () => (await argon2()).verify(passwordHash, password));
    } finally {
      this.leave(id);
    }
  }

  private leave(id: string): void {
    const others = (this.asked.get(id) ?? 1) - 1;
    if (others > 0) this.asked.set(id, others);
    else this.asked.delete(id);
  }
}

const tooManyOfOne = (): CodedError =>
  new CodedError('UNAVAILABLE', 'Too many log in with these credentials just now; try again.', {
    retryAfterMs: RETRY_AFTER_MS,
  });
