import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { Gate } from '#platform';

/** What a hash costs: argon2id (the library's default) with OWASP's first choice for it. Memory in KiB. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** How the hashes of {@link COST} begin (PHC string format). */
const PREFIX = `$argon2id$v=19$m=${String(COST.memoryCost)},t=${String(COST.timeCost)},p=${String(COST.parallelism)}$`;

/** 19 MiB each; the others of libuv's four threads stay free for files and names. */
const AT_ONCE = 2;
const LONGEST_LINE = 500;

/** Hashes passwords and checks them, a few at once. */
@Injectable()
export class Passwords {
  private readonly gate = new Gate(AT_ONCE, LONGEST_LINE, 'Too many people log in just now; try again.');
  private readonly nobodys: Promise<string> = hash('the password of nobody', COST);

  /** Does the work when it is its turn: within, {@link hash} and {@link matches} may be called. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.gate.run(work);
  }

  hash(password: string): Promise<string> {
    return hash(normalized(password), COST);
  }

  /** Without a hash to check against (nobody has this email) it takes as long and says no. */
  async matches(stored: string | undefined, password: string): Promise<boolean> {
    const matched = await verify(stored ?? (await this.nobodys), normalized(password));
    return matched && stored !== undefined;
  }

  /** Was it made with other costs than today's? */
  isOutdated(stored: string): boolean {
    return !stored.startsWith(PREFIX);
  }
}

/** The same characters are the same password, however a keyboard composes them (NIST SP 800-63B section 5.1.1.2). */
const normalized = (password: string): string => password.normalize('NFKC');
