import { Column, Entity, Index } from 'typeorm';
import { column } from '#sql';
import type { LinkVia } from '../link/device-link.ts';

/** A replica that may hold links. It is alive while its beat is raised. */
@Entity('link_replicas')
export class LinkReplicaEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.text(255))
  name: string;

  @Column(column.integer())
  beat: number;
}

/** How a device is connected, or was. */
@Entity('connections')
@Index('ix_connections_replica', ['replicaId', 'online'])
@Index('ix_connections_silent_at', ['silentAt'])
export class ConnectionEntity {
  @Column(column.uuid({ name: 'device_id', primary: true }))
  deviceId: string;

  @Column(column.boolean())
  online: boolean;

  /** Since when it is online or offline; null for a device of which there is only something to remark. */
  @Column(column.time({ nullable: true }))
  since: Date | null;

  @Column(column.time({ name: 'last_seen', nullable: true }))
  lastSeen: Date | null;

  @Column(column.text(16, { nullable: true }))
  via: LinkVia | null;

  /** The link that it is, or was last, connected by; null where it was only heard of by requests. */
  @Column(column.uuid({ name: 'link_id', nullable: true }))
  linkId: string | null;

  @Column(column.uuid({ name: 'replica_id', nullable: true }))
  replicaId: string | null;

  @Column(column.text(255, { nullable: true }))
  replica: string | null;

  @Column(column.text(64, { nullable: true }))
  address: string | null;

  @Column(column.text(64, { nullable: true }))
  protocol: string | null;

  @Column(column.text(256, { name: 'client_id', nullable: true }))
  clientId: string | null;

  @Column(column.text(512, { nullable: true }))
  reason: string | null;

  /** When a device that is online without a link counts as offline, unless it is heard of before. */
  @Column(column.time({ name: 'silent_at', nullable: true }))
  silentAt: Date | null;

  @Column(column.text(1_024, { name: 'will_topic', nullable: true }))
  willTopic: string | null;

  @Column(column.text(4_096, { name: 'will_payload', nullable: true }))
  willPayload: string | null;

  @Column(column.time({ name: 'will_at', nullable: true }))
  willAt: Date | null;
}

/** Something that happened to a device's connection. Ids are UUIDs version 7, in the order in which it did. */
@Entity('connection_events')
@Index('ix_connection_events_device', ['deviceId', 'id'])
export class ConnectionEventEntity {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.uuid({ name: 'device_id' }))
  deviceId: string;

  @Column(column.text(16))
  kind: 'online' | 'offline' | 'will' | 'refused';

  @Column(column.time())
  at: Date;

  @Column(column.text(16, { nullable: true }))
  via: LinkVia | null;

  @Column(column.text(255, { nullable: true }))
  replica: string | null;

  @Column(column.text(64, { nullable: true }))
  address: string | null;

  @Column(column.text(512, { nullable: true }))
  reason: string | null;

  @Column(column.text(1_024, { nullable: true }))
  topic: string | null;
}
