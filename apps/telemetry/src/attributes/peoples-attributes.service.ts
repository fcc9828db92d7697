import { Inject, Injectable } from '@nestjs/common';
import type { UserPrincipal } from '#contracts';
import { DeviceAccess } from '../authorise/device-access.ts';
import { deviceFor } from '../authorise/device-for.ts';
import type { AttributeEntity } from './attribute.entity.ts';
import type { AttributesPatchBody, AttributesQuery, AttributeVersionsReply } from './attribute.schemas.ts';
import { AttributeStore } from './attribute-store.ts';
import { Attributes, type AttributesByScope } from './attributes.service.ts';

/** Attributes, and the version that they are of. */
export interface TaggedAttributes {
  version: number;
  attributes: AttributesByScope;
}

/** The attributes of devices that a person may see, or write. */
@Injectable()
export class PeoplesAttributes {
  constructor(
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(Attributes) private readonly attributes: Attributes,
    @Inject(AttributeStore) private readonly store: AttributeStore,
  ) {}

  async read(caller: UserPrincipal, device: string, { scope, keys }: AttributesQuery): Promise<TaggedAttributes> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    return this.attributes.all(id, { ...(scope && { scope }), ...(keys && { keys }) });
  }

  async versions(caller: UserPrincipal, device: string): Promise<AttributeVersionsReply> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    const { version, deliveredVersion } = await this.store.twin(id);
    return { version, deliveredVersion, items: (await this.store.find(id)).map(versionOf) };
  }

  /** Throws `BAD_ATTRIBUTE`, `ATTRIBUTES_TOO_LARGE`, `VERSION_MISMATCH`. */
  async change(
    caller: UserPrincipal,
    device: string,
    patch: AttributesPatchBody,
    ifMatch: string | undefined,
  ): Promise<TaggedAttributes> {
    const { id } = await deviceFor(this.access, caller, device, 'write');
    const { shared = {}, server = {} } = patch;
    await this.attributes.write(id, { shared, server }, { by: caller.userId, ifMatch });
    return this.attributes.all(id);
  }
}

const versionOf = ({ scope, key, version, updatedAt, updatedBy }: AttributeEntity) => ({
  scope,
  key,
  version,
  updatedAt: updatedAt.getTime(),
  updatedBy,
});
