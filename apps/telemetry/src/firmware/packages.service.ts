import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import type { PackageEntity } from './firmware.entity.ts';
import type { PackageQuery, PackageView } from './firmware.schemas.ts';
import type { PackageFile } from './package-file.ts';
import { PackageStore } from './package-store.ts';

/** Packages, as administrators and operators see them: those of their own, and those that are for all. */
@Injectable()
export class Packages {
  constructor(@Inject(PackageStore) private readonly store: PackageStore) {}

  async list(caller: UserPrincipal, query: PackageQuery): Promise<Page<PackageView>> {
    const { items, nextCursor } = await this.store.page(caller, query);
    return { items: items.map(packageView), nextCursor };
  }

  /** Throws `NOT_FOUND`. */
  async get(caller: UserPrincipal, id: string): Promise<PackageView> {
    return packageView(await this.visible(caller, id));
  }

  /** Throws `NOT_FOUND`. */
  async file(caller: UserPrincipal, id: string): Promise<PackageFile> {
    const { title, version, fileName, size, checksum } = await this.visible(caller, id);
    const stream = (offset: number, length: number) => this.store.stream(id, offset, length);
    return { title, version, fileName, size, checksum: checksum ?? '', stream };
  }

  /** Throws `NOT_FOUND`, `FORBIDDEN` for one that is for all, `FIRMWARE_IN_USE`. */
  async remove(caller: UserPrincipal, id: string): Promise<void> {
    const { customerId } = await this.visible(caller, id);
    if (caller.role !== 'admin' && customerId === null) {
      throw new CodedError('FORBIDDEN', 'This package is for all: only administrators delete it.');
    }
    await this.store.remove(id);
  }

  /** Throws `NOT_FOUND`, in the same words whether or not there is one that the caller may not use. */
  async visible(caller: UserPrincipal, id: string): Promise<PackageEntity> {
    const found = await this.store.find(id);
    if (found && (caller.role === 'admin' || isFor(found, caller.customerId))) return found;
    throw new CodedError('NOT_FOUND', `There is no package ${id} among those that you may use.`);
  }
}

/** May people and devices of this customer use the package? */
export const isFor = (of: Pick<PackageEntity, 'customerId'>, customerId: string | null): boolean =>
  of.customerId === null || of.customerId === customerId;

/**
 * Whose packages and rollouts a caller makes: their customer's; null for an administrator, whose are for all. Throws `FORBIDDEN` for an
 * operator without a customer.
 */
export function customerOf({ role, customerId }: UserPrincipal): string | null {
  if (role === 'admin') return null;
  if (customerId !== null) return customerId;
  throw new CodedError('FORBIDDEN', 'This takes an operator of a customer, and you are of none: ask an administrator.');
}

export const packageView = (of: PackageEntity): PackageView => ({
  id: of.id,
  kind: of.kind,
  title: of.title,
  version: of.version,
  fileName: of.fileName,
  size: of.size,
  checksum: of.checksum ?? '',
  checksumAlgorithm: 'SHA256',
  customerId: of.customerId,
  createdBy: of.createdBy,
  createdAt: of.createdAt.getTime(),
});
