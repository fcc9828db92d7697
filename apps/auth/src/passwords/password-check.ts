import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { CodedError } from '#contracts';
import { networkOf } from '#platform';
import { Attempts, counterOf, type Counter } from '#sql';
import { AUTH_CONFIG, type AuthConfig } from '../config.ts';
import { Session } from '../sessions/session.entity.ts';
import { User } from '../users/user.entity.ts';
import { Passwords } from './passwords.ts';

/** Failures that one address may have for each that one account may have. */
const ADDRESS_FACTOR = 10;
/** A user that nobody is, so that an unknown email asks the database the same questions. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Who says that they are somebody, and from where. */
export interface PasswordAttempt {
  email: string;
  password: string;
  address: string;
}

/** Checks passwords, counted per account and per address. */
@Injectable()
export class PasswordCheck {
  constructor(
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @InjectRepository(Session, 'auth') private readonly sessions: Repository<Session>,
    @Inject(Passwords) private readonly passwords: Passwords,
    @Inject(Attempts) private readonly attempts: Attempts,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * The user with this email and password. Throws `BAD_CREDENTIALS`, after the same work whether there is such an email or
   * not, or `TOO_MANY_ATTEMPTS`.
   */
  async check(attempt: PasswordAttempt): Promise<User> {
    const counters = await this.countersOf(attempt);
    for (const counter of counters) await this.attempts.refuseIfUsedUp(counter);
    return this.passwords.inTurn(() => this.checkNow(attempt, counters));
  }

  private async checkNow({ email, password }: PasswordAttempt, [address, account]: Counters): Promise<User> {
    await this.attempts.take(address);
    await this.attempts.take(account);
    const user = await this.users.findOneBy({ email });
    const matched = await this.passwords.matches(user?.passwordHash, password);
    if (!user || !matched) {
      throw new CodedError('BAD_CREDENTIALS', 'The email or the password is wrong: check both and try again.');
    }
    await this.attempts.giveBack(address);
    await this.attempts.reset(account);
    if (this.passwords.isOutdated(user.passwordHash)) await this.renewHash(user, password);
    return user;
  }

  /**
   * Failures from a network that this user has logged in from are counted apart: whoever guesses elsewhere makes others
   * wait, but not the user at home.
   */
  private async countersOf({ email, address }: PasswordAttempt): Promise<Counters> {
    const network = networkOf(address);
    const limit = this.config.LOGIN_ATTEMPTS;
    const user = await this.users.findOneBy({ email });
    const known = await this.sessions.existsBy({ userId: user?.id ?? NOBODY, network });
    return [
      counterOf('address', [network], limit * ADDRESS_FACTOR),
      known ? counterOf('known', [email, network], limit) : counterOf('account', [email], limit),
    ];
  }

  private async renewHash(user: User, password: string): Promise<void> {
    const passwordHash = await this.passwords.hash(password);
    await this.users.update({ id: user.id, passwordHash: user.passwordHash }, { passwordHash });
  }
}

type Counters = [address: Counter, account: Counter];
