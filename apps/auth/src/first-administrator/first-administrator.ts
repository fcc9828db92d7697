import { randomBytes } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { isUniqueViolation } from '#sql';
import { AUTH_CONFIG, configuredAdministrator, type AuthConfig } from '../config.ts';
import { Passwords } from '../passwords/passwords.ts';
import { newUser } from '../users/new-user.ts';
import { User } from '../users/user.entity.ts';

export interface Credentials {
  email: string;
  password: string;
}

const GENERATED_EMAIL = 'admin@fieldline.local';

/** Sees to it that somebody can administer a new installation. */
@Injectable()
export class FirstAdministrator implements OnModuleInit {
  private ensured: Promise<Credentials | undefined> | undefined;

  constructor(
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @Inject(Passwords) private readonly passwords: Passwords,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.ensure();
  }

  /**
   * Makes the configured administrator if nobody has that email: who has it stays as they are. With `FIRST_ADMIN=generate`, and
   * none configured, makes one while there is none, and resolves to its login in the process that made it: the only time that
   * the password can be seen.
   */
  ensure(): Promise<Credentials | undefined> {
    this.ensured ??= this.ensureNow();
    return this.ensured;
  }

  private async ensureNow(): Promise<Credentials | undefined> {
    const configured = configuredAdministrator(this.config);
    if (configured) {
      await this.make(configured);
      return undefined;
    }
    if (this.config.FIRST_ADMIN === 'none' || (await this.users.existsBy({ role: 'admin', disabled: false }))) {
      return undefined;
    }
    const generated = { email: GENERATED_EMAIL, password: randomBytes(12).toString('base64url') };
    return (await this.make(generated)) ? generated : undefined;
  }

  /** False if somebody has the email: another replica may have been first. */
  private async make({ email, password }: Credentials): Promise<boolean> {
    if (await this.users.existsBy({ email })) return false;
    const passwordHash = await this.passwords.inTurn(() => this.passwords.hash(password));
    try {
      await this.users.insert(newUser({ name: 'Administrator', email, passwordHash, role: 'admin' }, this.now()));
    } catch (error) {
      if (isUniqueViolation(error)) return false;
      throw error;
    }
    this.log.info(`made the first administrator, ${email}`);
    return true;
  }
}
