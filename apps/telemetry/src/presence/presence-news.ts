import type { LinkVia } from '../link/device-link.ts';
import type { ConnectionEntity, ConnectionEventEntity } from './connection.entity.ts';

/** A link as its device's connection shows it. */
export interface LinkFacts {
  id: string;
  via: LinkVia;
  address: string;
  protocol: string;
  clientId: string | null;
  /** ms since the epoch. */
  lastSeen: number;
}

/** Something that this replica knows of a device's connection; `at` in ms since the epoch. */
export type PresenceNews = { at: number } &
  /** The device is connected by this link; with `instead`, that one has ended and this one goes on. */
  (
    | { kind: 'online'; link: LinkFacts; instead?: string }
    /** The link has ended, or is silent. */
    | { kind: 'offline'; link: string; lastSeen: number; reason: string }
    /** A request came; it counts as online until `silentAt`. */
    | { kind: 'heard'; address: string; silentAt: number }
    /** It was not heard of for too long. */
    | { kind: 'silent' }
    | { kind: 'will'; reason: string; topic: string | null; payload: string }
    | { kind: 'refused'; reason: string; topic: string | null }
  );

/** The replica whose news it is. */
export interface ReplicaName {
  id: string;
  name: string;
}

/** What the history keeps of a piece of news. */
export type Entry = Omit<ConnectionEventEntity, 'id' | 'deviceId'>;

/** A connection after some news, and what of it the history keeps; `isTold` if viewers are to know of the change. */
export interface Merged {
  row: ConnectionEntity;
  entries: Entry[];
  isTold: boolean;
}

/** Why a device without a link went offline. */
export const SILENT = 'inactive: it was not heard of';

/** The connection of a device of which nothing is known. */
export const unknownConnection = (deviceId: string): ConnectionEntity => ({
  deviceId,
  online: false,
  since: null,
  lastSeen: null,
  via: null,
  linkId: null,
  replicaId: null,
  replica: null,
  address: null,
  protocol: null,
  clientId: null,
  reason: null,
  silentAt: null,
  willTopic: null,
  willPayload: null,
  willAt: null,
});

/**
 * What is known of a device's connection and what is new of it, in one. Ids of links are of version 7, so of two the greater one is the
 * newer: whatever order the news of several replicas comes in, the end of an older link changes nothing about a newer one.
 */
export function merge(row: ConnectionEntity, news: readonly PresenceNews[], replica: ReplicaName): Merged {
  const merged: Merged = { row, entries: [], isTold: false };
  for (const one of news) takeIn(merged, one, replica);
  return merged;
}

function takeIn(merged: Merged, news: PresenceNews, replica: ReplicaName): void {
  switch (news.kind) {
    case 'online':
      online(merged, news, replica);
      break;
    case 'offline':
      if (merged.row.online && merged.row.linkId === news.link) offline(merged, news.at, news.reason, news.lastSeen);
      break;
    case 'heard':
      heard(merged, news, replica);
      break;
    case 'silent':
      if (isSilent(merged.row, news.at)) offline(merged, news.at, SILENT);
      break;
    case 'will':
      merged.row = { ...merged.row, willTopic: news.topic ?? '', willPayload: news.payload, willAt: new Date(news.at) };
      merged.entries.push(remark(merged.row, news));
      break;
    case 'refused':
      merged.entries.push(remark(merged.row, news));
      break;
  }
}

function online(
  merged: Merged,
  { link, instead, at }: Extract<PresenceNews, { kind: 'online' }>,
  replica: ReplicaName,
): void {
  const { row } = merged;
  const isByNewer = row.online && row.linkId !== null && row.linkId > link.id && row.linkId !== instead;
  if (isByNewer) return;
  const isSame = row.online && row.linkId === link.id && row.replicaId === replica.id;
  merged.row = {
    ...row,
    online: true,
    since: row.online ? row.since : new Date(at),
    lastSeen: latest(row.lastSeen, link.lastSeen),
    via: link.via,
    linkId: link.id,
    replicaId: replica.id,
    replica: replica.name,
    address: link.address,
    protocol: link.protocol,
    clientId: link.clientId,
    reason: null,
    silentAt: null,
  };
  if (isSame) return;
  merged.isTold = true;
  if (instead === undefined || !row.online) merged.entries.push(entry('online', at, merged.row));
}

function heard(
  merged: Merged,
  { address, at, silentAt }: Extract<PresenceNews, { kind: 'heard' }>,
  replica: ReplicaName,
): void {
  const { row } = merged;
  const lastSeen = latest(row.lastSeen, at);
  if (row.online && row.linkId !== null) {
    merged.row = { ...row, lastSeen };
    return;
  }
  merged.row = {
    ...row,
    online: true,
    since: row.online ? row.since : new Date(at),
    lastSeen,
    via: 'http',
    linkId: null,
    replicaId: replica.id,
    replica: replica.name,
    address,
    protocol: 'HTTP',
    clientId: null,
    reason: null,
    silentAt: latest(row.silentAt, silentAt),
  };
  if (row.online) return;
  merged.isTold = true;
  merged.entries.push(entry('online', at, merged.row));
}

function offline(merged: Merged, at: number, reason: string, lastSeen = 0): void {
  const { row } = merged;
  merged.row = {
    ...row,
    online: false,
    since: new Date(at),
    lastSeen: latest(row.lastSeen, lastSeen),
    reason,
    silentAt: null,
  };
  merged.isTold = true;
  merged.entries.push(entry('offline', at, merged.row));
}

const isSilent = (row: ConnectionEntity, at: number): boolean =>
  row.online && row.linkId === null && row.silentAt !== null && row.silentAt.getTime() <= at;

const latest = (known: Date | null, time: number): Date => (known && known.getTime() >= time ? known : new Date(time));

const entry = (kind: 'online' | 'offline', at: number, { via, replica, address, reason }: ConnectionEntity): Entry => ({
  kind,
  at: new Date(at),
  via,
  replica,
  address,
  reason,
  topic: null,
});

const remark = (
  { via, address }: ConnectionEntity,
  { kind, at, reason, topic }: Extract<PresenceNews, { kind: 'will' | 'refused' }>,
): Entry => ({ kind, at: new Date(at), via, replica: null, address, reason, topic });
