import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { z } from 'zod';
import { CodedError, Role } from '#contracts';
import { CLOCK, networkOf, type Clock } from '#platform';
import { Attempts, counterOf, isUniqueViolation } from '#sql';
import { AUTH_CONFIG, type AuthConfig } from '../config.ts';
import { NewPassword } from '../passwords/password.ts';
import { Passwords } from '../passwords/passwords.ts';
import { newUser } from '../users/new-user.ts';
import { Email, PersonName } from '../users/person.ts';
import { User } from '../users/user.entity.ts';

export const SignUpRequest = z
  .strictObject({ name: PersonName, email: Email, password: NewPassword })
  .meta({ id: 'AuthSignUpRequest' });
export type SignUpRequest = z.output<typeof SignUpRequest>;

export const SignedUp = z
  .object({ id: z.uuid(), name: z.string(), email: z.string(), role: Role })
  .meta({ id: 'AuthSignedUp' });
export type SignedUp = z.output<typeof SignedUp>;

/** Lets people in by themselves, with the role of a user. */
@Injectable()
export class SignUp {
  constructor(
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @Inject(Passwords) private readonly passwords: Passwords,
    @Inject(Attempts) private readonly attempts: Attempts,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Throws `SIGNUP_CLOSED`, `EMAIL_TAKEN`, or `TOO_MANY_ATTEMPTS` for too many from one address. */
  async signUp({ name, email, password }: SignUpRequest, address: string): Promise<SignedUp> {
    if (this.config.SIGNUP === 'closed') {
      throw new CodedError('SIGNUP_CLOSED', 'Nobody can sign up here: ask an administrator for an account.');
    }
    await this.attempts.take(counterOf('sign-up', [networkOf(address)], this.config.SIGNUP_ATTEMPTS));
    const user = await this.passwords.inTurn(async () => {
      if (await this.users.existsBy({ email })) throw emailTaken();
      const passwordHash = await this.passwords.hash(password);
      return newUser({ name, email, passwordHash, role: 'user' }, this.now());
    });
    await this.insert(user);
    return { id: user.id, name: user.name, email: user.email, role: user.role };
  }

  private async insert(user: User): Promise<void> {
    try {
      await this.users.insert(user);
    } catch (error) {
      throw isUniqueViolation(error, 'uq_users_email', 'users.email') ? emailTaken() : error;
    }
  }
}

const emailTaken = (): CodedError =>
  new CodedError('EMAIL_TAKEN', 'Somebody has this email already: log in with it, or sign up with another one.');
