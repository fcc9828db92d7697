import { describe, expect, test } from '@jest/globals';
import { merge, unknownConnection, type LinkFacts, type PresenceNews } from './presence-news.ts';

const HERE = { id: 'here', name: 'here-1' };
const THERE = { id: 'there', name: 'there-1' };
const link = (id: string): LinkFacts => ({
  id,
  via: 'mqtt',
  address: '192.0.2.1',
  protocol: 'MQTT 5',
  clientId: 'c',
  lastSeen: 1,
});
const online = (id: string, at: number): PresenceNews => ({ kind: 'online', at, link: link(id) });
const offline = (id: string, at: number): PresenceNews => ({
  kind: 'offline',
  at,
  link: id,
  lastSeen: at,
  reason: 'x',
});
const heard = (at: number): PresenceNews => ({ kind: 'heard', at, address: '192.0.2.2', silentAt: at + 600 });
const never = unknownConnection('d');
const onlineBy = (id: string, replica = HERE) => merge(never, [online(id, 10)], replica).row;

describe('a device', () => {
  test('is online since its link is there, and offline since it has ended', () => {
    const up = merge(never, [online('a', 10)], HERE);
    expect(up).toMatchObject({ isTold: true, entries: [{ kind: 'online', via: 'mqtt', replica: 'here-1' }] });
    expect(up.row).toMatchObject({ online: true, since: new Date(10), replicaId: 'here', linkId: 'a', clientId: 'c' });
    const down = merge(up.row, [offline('a', 20)], HERE);
    expect(down.row).toMatchObject({ online: false, since: new Date(20), lastSeen: new Date(20), reason: 'x' });
    expect(down).toMatchObject({ isTold: true, entries: [{ kind: 'offline', reason: 'x' }] });
  });

  test('is online by its newer link whatever is said of the older one, in whatever order', () => {
    const orders: PresenceNews[][] = [
      [online('a', 1), online('b', 2), offline('a', 3)],
      [online('a', 1), offline('a', 3), online('b', 2)],
      [online('b', 2), online('a', 1), offline('a', 3)],
      [online('b', 2), offline('a', 3)],
    ];
    for (const news of orders) expect(merge(never, news, HERE).row).toMatchObject({ online: true, linkId: 'b' });
  });

  test('stays online since it first was when it connects anew before its older link has ended', () => {
    const { row, entries } = merge(onlineBy('a'), [online('b', 30)], THERE);
    expect(row).toMatchObject({ since: new Date(10), replicaId: 'there', linkId: 'b' });
    expect(entries).toHaveLength(1);
  });

  test('goes on by an older link that is still there when the newer one has ended', () => {
    const byNewer = onlineBy('b');
    const instead: PresenceNews = { kind: 'online', at: 20, link: link('a'), instead: 'b' };
    expect(merge(byNewer, [instead], HERE)).toMatchObject({ row: { online: true, linkId: 'a' }, entries: [] });
    const ended = merge(byNewer, [offline('b', 20)], THERE).row;
    expect(merge(ended, [online('a', 21)], HERE).row).toMatchObject({ online: true, linkId: 'a' });
  });

  test('that is said to be online once more is no news', () => {
    expect(merge(onlineBy('a'), [online('a', 50)], HERE)).toMatchObject({ isTold: false, entries: [] });
  });
});

describe('a device that sends requests', () => {
  test('is online until it was silent for too long', () => {
    const up = merge(never, [heard(10)], HERE);
    expect(up.row).toMatchObject({ online: true, via: 'http', linkId: null, silentAt: new Date(610) });
    expect(up.entries).toHaveLength(1);
    const again = merge(up.row, [heard(300)], THERE);
    expect(again).toMatchObject({ row: { since: new Date(10), lastSeen: new Date(300) }, entries: [], isTold: false });
    expect(merge(again.row, [{ kind: 'silent', at: 700 }], HERE)).toMatchObject({ entries: [] });
    expect(merge(again.row, [{ kind: 'silent', at: 900 }], HERE).row).toMatchObject({ online: false, silentAt: null });
  });

  test('and has a link is connected by that', () => {
    expect(merge(onlineBy('a'), [heard(50)], THERE)).toMatchObject({
      row: { online: true, via: 'mqtt', linkId: 'a', lastSeen: new Date(50), silentAt: null },
      isTold: false,
    });
    const linked = merge(merge(never, [heard(10)], HERE).row, [online('a', 20)], HERE).row;
    expect(linked).toMatchObject({ via: 'mqtt', linkId: 'a', silentAt: null, since: new Date(10) });
    expect(merge(linked, [{ kind: 'silent', at: 9_999 }], HERE).row.online).toBe(true);
  });
});

test('a will and a refusal are kept, and change nothing about being online', () => {
  const will: PresenceNews = { kind: 'will', at: 20, reason: 'its link was lost', topic: 't', payload: 'p' };
  const refused: PresenceNews = { kind: 'refused', at: 21, reason: 'not allowed', topic: 'x' };
  const { row, entries, isTold } = merge(onlineBy('a'), [will, refused], HERE);
  expect(row).toMatchObject({ online: true, willTopic: 't', willPayload: 'p', willAt: new Date(20) });
  expect(entries).toMatchObject([
    { kind: 'will', topic: 't' },
    { kind: 'refused', reason: 'not allowed', topic: 'x' },
  ]);
  expect(isTold).toBe(false);
});
