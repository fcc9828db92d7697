import { Inject, Injectable } from '@nestjs/common';
import type { ConnectionView, Page, UserPrincipal } from '#contracts';
import { DeviceAccess } from '../authorise/device-access.ts';
import { deviceFor } from '../authorise/device-for.ts';
import { ConnectionStore } from './connection-store.ts';
import { connectionView } from './connection-view.ts';
import { unknownConnection } from './presence-news.ts';
import type { ConnectionEntry, HistoryQuery } from './presence.schemas.ts';
import { Presence } from './presence.service.ts';

/** The connections of devices that a person may see. */
@Injectable()
export class PeoplesConnections {
  constructor(
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(Presence) private readonly presence: Presence,
    @Inject(ConnectionStore) private readonly store: ConnectionStore,
  ) {}

  /** Of a device that was never heard of: that it is offline. */
  async get(caller: UserPrincipal, device: string): Promise<ConnectionView> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    return (await this.presence.of(id)) ?? connectionView(unknownConnection(id));
  }

  async history(caller: UserPrincipal, device: string, query: HistoryQuery): Promise<Page<ConnectionEntry>> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    const { items, nextCursor } = await this.store.history(id, query);
    return { items: items.map(({ deviceId: _, at, ...entry }) => ({ ...entry, at: at.getTime() })), nextCursor };
  }
}
