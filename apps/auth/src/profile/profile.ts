import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm';
import type { DataSource, EntityManager, Repository } from 'typeorm';
import { CodedError, type EndedSession, type UserPrincipal } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { inTransaction } from '#sql';
import { PasswordCheck } from '../passwords/password-check.ts';
import { Passwords } from '../passwords/passwords.ts';
import { Announcer } from '../sessions/announcer.ts';
import { lockedAsChecked, Logins } from '../sessions/logins.ts';
import { UserChanges } from '../users/user-changes.ts';
import { User } from '../users/user.entity.ts';
import { viewOf, type UserView } from '../users/user-view.ts';

/** What people see and change of themselves. */
@Injectable()
export class Profile {
  constructor(
    @InjectDataSource('auth') private readonly dataSource: DataSource,
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @Inject(UserChanges) private readonly changes: UserChanges,
    @Inject(PasswordCheck) private readonly check: PasswordCheck,
    @Inject(Passwords) private readonly passwords: Passwords,
    @Inject(Logins) private readonly logins: Logins,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async of(caller: UserPrincipal): Promise<UserView> {
    return viewOf(await this.own(caller));
  }

  async change(caller: UserPrincipal, { name }: { name?: string | undefined }): Promise<UserView> {
    return name === undefined ? this.of(caller) : viewOf(await this.changes.rename(caller.userId, name));
  }

  /** Ends all other logins of the caller. Throws `BAD_CREDENTIALS` or `TOO_MANY_ATTEMPTS`. */
  async changePassword(
    caller: UserPrincipal,
    change: { currentPassword: string; newPassword: string; address: string },
  ): Promise<void> {
    const { email } = await this.own(caller);
    const checked = await this.check.check({ email, password: change.currentPassword, address: change.address });
    const passwordHash = await this.passwords.inTurn(() => this.passwords.hash(change.newPassword));
    const sessions = await inTransaction(this.dataSource, (manager) =>
      this.setPassword(manager, caller, checked, passwordHash),
    );
    this.announcer.announce({ sessions, users: [] });
  }

  private async setPassword(
    manager: EntityManager,
    caller: UserPrincipal,
    checked: User,
    passwordHash: string,
  ): Promise<EndedSession[]> {
    const user = await lockedAsChecked(manager, checked);
    const passwordChangedAt = new Date(Math.max(this.now(), user.passwordChangedAt.getTime() + 1));
    await manager.update(User, { id: user.id }, { passwordHash, passwordChangedAt });
    return this.logins.endAllOf(manager, user.id, caller.sessionId);
  }

  private async own(caller: UserPrincipal): Promise<User> {
    const user = await this.users.findOneBy({ id: caller.userId });
    if (!user) throw new CodedError('TOKEN_REVOKED', 'This account is gone: sign up or ask an administrator.');
    return user;
  }
}
