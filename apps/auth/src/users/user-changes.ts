import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm';
import { Not, type DataSource, type EntityManager, type Repository } from 'typeorm';
import { CodedError, type Revocations, type UserPrincipal } from '#contracts';
import { RpcClient } from '#messaging';
import { CLOCK, requireMatch, type Clock } from '#platform';
import { inTransaction, rowLock } from '#sql';
import { AUTH_CONFIG, type AuthConfig } from '../config.ts';
import { Announcer, changedUser } from '../sessions/announcer.ts';
import { lockedUser, Logins } from '../sessions/logins.ts';
import { Session } from '../sessions/session.entity.ts';
import { assertMayChange, changesRights, isActiveAdmin, maySee, type UserChange } from './user-rules.ts';
import { searchTextOf, User } from './user.entity.ts';

/** Reads, changes and deletes one user, within what the caller may do. Somebody they may not see is `NOT_FOUND`. */
@Injectable()
export class UserChanges {
  constructor(
    @InjectDataSource('auth') private readonly dataSource: DataSource,
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @Inject(Logins) private readonly logins: Logins,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async read(caller: UserPrincipal, id: string): Promise<User> {
    return visible(caller, await this.users.findOneBy({ id }));
  }

  /**
   * Changes of role, customer and `disabled` are felt at once: access tokens issued before are refused, and somebody disabled
   * is logged out. Throws `FORBIDDEN`, `LAST_ADMIN`, `VERSION_MISMATCH`.
   */
  async change(caller: UserPrincipal, id: string, change: UserChange, ifMatch?: string): Promise<User> {
    const { user, revoked } = await inTransaction(this.dataSource, async (manager) => {
      const before = await this.held(manager, caller, id);
      assertMayChange(caller, change);
      requireMatch(ifMatch, before.version);
      return this.changeHeld(manager, before, change);
    });
    this.announcer.announce(revoked);
    return user;
  }

  /** Changes a user's own name. */
  async rename(id: string, name: string): Promise<User> {
    const { user } = await inTransaction(this.dataSource, async (manager) => {
      const before = present(await lockedUser(manager, id));
      return this.changeHeld(manager, before, { name });
    });
    return user;
  }

  /**
   * Deletes a user and ends their logins, after the registry has let go of their devices: cut off between the two, the user is still
   * there to be deleted again. Throws `LAST_ADMIN`, `VERSION_MISMATCH`, and `UNAVAILABLE` while the registry is away: the user stays.
   */
  async remove(caller: UserPrincipal, id: string, ifMatch?: string): Promise<void> {
    await inTransaction(this.dataSource, (manager) => this.removable(manager, caller, id, ifMatch));
    await this.rpc.call('registry.people.forget', { userId: id });
    const sessions = await inTransaction(this.dataSource, async (manager) => {
      await this.removable(manager, caller, id, ifMatch);
      const ended = await this.logins.endAllOf(manager, id);
      await manager.delete(User, { id });
      return ended;
    });
    this.announcer.announce({ sessions, users: [] });
  }

  private async removable(
    manager: EntityManager,
    caller: UserPrincipal,
    id: string,
    ifMatch: string | undefined,
  ): Promise<void> {
    const user = await this.held(manager, caller, id);
    requireMatch(ifMatch, user.version);
    if (isActiveAdmin(user)) await assertOtherAdmin(manager, id);
  }

  /** Holds the rows of all administrators before a user's: of two who remove each other, the second sees what the first did. */
  private async held(manager: EntityManager, caller: UserPrincipal, id: string): Promise<User> {
    await manager.find(User, {
      select: { id: true },
      where: { role: 'admin' },
      order: { id: 'ASC' },
      lock: rowLock(manager),
    });
    return visible(caller, await lockedUser(manager, id));
  }

  private async changeHeld(
    manager: EntityManager,
    before: User,
    change: UserChange,
  ): Promise<{ user: User; revoked: Revocations }> {
    const user = this.changed(before, change);
    const rightsChange = changesRights(before, user);
    if (isActiveAdmin(before) && !isActiveAdmin(user)) await assertOtherAdmin(manager, user.id);
    if (rightsChange) user.tokensValidAfter = await this.afterEveryTokenOf(manager, user.id);
    const sessions = user.disabled ? await this.logins.endAllOf(manager, user.id) : [];
    await manager.save(User, user);
    return { user, revoked: { sessions, users: rightsChange ? [changedUser(user, this.config)] : [] } };
  }

  private changed(before: User, { name, role, customerId, disabled }: UserChange): User {
    const user = Object.assign(new User(), before);
    user.name = name ?? before.name;
    user.role = role ?? before.role;
    user.customerId = customerId === undefined ? before.customerId : customerId;
    user.disabled = disabled ?? before.disabled;
    user.searchText = searchTextOf(user);
    user.version = before.version + 1;
    user.updatedAt = new Date(this.now());
    return user;
  }

  /** A time after every access token issued so far, whichever replica's clock issued it. */
  private async afterEveryTokenOf(manager: EntityManager, userId: string): Promise<Date> {
    const [newest] = await manager.find(Session, { where: { userId }, order: { refreshedAt: 'DESC' }, take: 1 });
    return new Date(Math.max(this.now(), (newest?.refreshedAt.getTime() ?? 0) + 1));
  }
}

const present = (user: User | null): User => {
  if (!user) throw new CodedError('NOT_FOUND', 'There is no such user.');
  return user;
};

function visible(caller: UserPrincipal, user: User | null): User {
  if (user && maySee(caller, user)) return user;
  throw new CodedError('NOT_FOUND', 'There is no such user.');
}

async function assertOtherAdmin(manager: EntityManager, id: string): Promise<void> {
  if (await manager.existsBy(User, { id: Not(id), role: 'admin', disabled: false })) return;
  throw new CodedError('LAST_ADMIN', 'This is the last administrator: make somebody else an administrator first.');
}
