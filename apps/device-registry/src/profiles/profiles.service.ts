import type { DataSource, EntityManager } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { mergePatch, requireMatch, uuid7, type Clock } from '#platform';
import { inTransaction, isForeignKeyViolation, isUniqueViolation, keysetPage, orderOf, rowLock } from '#sql';
import { actorOf, actorsChange, audit, changesBetween, type AuditRecord } from '../audit/audit.ts';
import { narrowToNamesFrom } from '../prefix.ts';
import type { ProfileKind } from './profile-kinds.ts';
import type { ProfileEntity } from './profile.entity.ts';
import {
  ofDevices,
  profileView,
  type ProfileDocument,
  type ProfilePatch,
  type ProfileQuery,
  type ProfileView,
} from './profile.schemas.ts';

/** Injection symbols of the {@link Profiles} of devices and of assets. */
export const DEVICE_PROFILES = Symbol('DEVICE_PROFILES');
export const ASSET_PROFILES = Symbol('ASSET_PROFILES');

const SORTED_BY = { createdAt: 'id', name: 'sortName' } as const;

/** Profiles of one kind: everybody reads them, administrators keep them. */
export class Profiles {
  constructor(
    private readonly kind: ProfileKind,
    private readonly dataSource: DataSource,
    private readonly now: Clock,
  ) {}

  async list({ sort, q, ...page }: ProfileQuery): Promise<Page<ProfileView>> {
    const query = this.dataSource.getRepository(this.kind.entity).createQueryBuilder('profile');
    narrowToNamesFrom(query, q);
    const { items, nextCursor } = await keysetPage(query, orderOf<ProfileEntity>(sort, SORTED_BY), page);
    return { items: items.map(profileView), nextCursor };
  }

  /** Throws `NOT_FOUND`. */
  async get(id: string): Promise<ProfileView> {
    const row = await this.dataSource.manager.findOneBy(this.kind.entity, { id });
    if (!row) throw this.notFound(id);
    return profileView(row);
  }

  /** Throws `PROFILE_NAME_TAKEN`. */
  async create(caller: UserPrincipal, document: ProfileDocument): Promise<ProfileView> {
    const now = this.now();
    const row = this.dataSource.manager.create(this.kind.entity, {
      ...columnsOf(document),
      id: uuid7(now),
      version: 1,
      createdAt: new Date(now),
      updatedAt: new Date(now),
    });
    return inTransaction(this.dataSource, async (manager) => {
      await this.orNameTaken(document.name, () => manager.insert(this.kind.entity, row as object));
      await audit(manager, now, this.record(caller, 'created', row));
      return profileView(row);
    });
  }

  /** Throws `NOT_FOUND`, `PROFILE_NAME_TAKEN`, `VERSION_MISMATCH`. */
  async change(
    caller: UserPrincipal,
    id: string,
    patch: ProfilePatch,
    ifMatch: string | undefined,
  ): Promise<ProfileView> {
    const now = this.now();
    return inTransaction(this.dataSource, async (manager) => {
      const before = await this.locked(manager, id);
      requireMatch(ifMatch, before.version);
      const document = this.kind.document.parse(mergePatch(documentOf(before), patch));
      const change = { ...columnsOf(document), version: before.version + 1, updatedAt: new Date(now) };
      await this.orNameTaken(document.name, () => manager.update(this.kind.entity, { id }, change as object));
      const after = { ...before, ...change };
      const changes = changesBetween(documentOf(before), documentOf(after));
      if (Object.keys(changes).length > 0) {
        await audit(manager, now, { ...this.record(caller, 'updated', after), changes });
      }
      return profileView(after);
    });
  }

  /** Throws `NOT_FOUND`, `PROFILE_IN_USE`, `VERSION_MISMATCH`. */
  async remove(caller: UserPrincipal, id: string, ifMatch: string | undefined): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      const row = await this.locked(manager, id);
      requireMatch(ifMatch, row.version);
      try {
        await manager.delete(this.kind.entity, { id });
      } catch (error) {
        throw isForeignKeyViolation(error) ? this.inUse(row) : error;
      }
      await audit(manager, this.now(), this.record(caller, 'deleted', row));
    });
  }

  private async locked(manager: EntityManager, id: string): Promise<ProfileEntity> {
    const row = await manager.findOne(this.kind.entity, { where: { id }, lock: rowLock(manager) });
    if (!row) throw this.notFound(id);
    return row;
  }

  private record(caller: UserPrincipal, what: 'created' | 'updated' | 'deleted', row: ProfileEntity): AuditRecord {
    const { id, name } = row;
    return actorsChange(actorOf(caller), `${this.kind.subject}.${what}`, { id, name, customerId: null });
  }

  private async orNameTaken(name: string, write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new CodedError(
        'PROFILE_NAME_TAKEN',
        `Another ${this.kind.called} has the name "${name}" (in any case): choose a different one.`,
      );
    }
  }

  private notFound(id: string): CodedError {
    return new CodedError('NOT_FOUND', `There is no ${this.kind.called} ${id} (GET ${this.kind.path} lists them).`);
  }

  private inUse({ id, name }: ProfileEntity): CodedError {
    const { called, path } = this.kind.users;
    return new CodedError(
      'PROFILE_IN_USE',
      `There are ${called} with the profile "${name}": give those another one or delete them first (GET ${path}?profile=${id}).`,
    );
  }
}

const columnsOf = ({ name, ...columns }: ProfileDocument) => ({ name, sortName: name.toLowerCase(), ...columns });

const documentOf = ({ name, description, attributes, ...row }: ProfileDocument): ProfileDocument => ({
  name,
  description,
  attributes,
  ...ofDevices(row),
});
