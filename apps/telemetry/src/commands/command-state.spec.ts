import { describe, expect, test } from '@jest/globals';
import { CommandStatus } from '#contracts';
import { hasEnded, stepped, type CommandState, type CommandStep } from './command-state.ts';

const EXPIRES = 10_000;
const command = (more: Partial<CommandState> = {}): CommandState => ({
  status: 'queued',
  persist: false,
  linkId: null,
  expiresAt: new Date(EXPIRES),
  sentAt: null,
  deliveredAt: null,
  finishedAt: null,
  result: null,
  error: null,
  ...more,
});
const STEPS: CommandStep[] = [
  { at: 1, kind: 'sent', link: 'b' },
  { at: 1, kind: 'delivered' },
  { at: 1, kind: 'answered', outcome: { ok: true, result: 1 } },
  { at: 1, kind: 'answered', outcome: { ok: false, error: 'x' } },
  { at: 1, kind: 'cancelled' },
  { at: EXPIRES + 1, kind: 'overdue' },
  { at: 1, kind: 'unreachable' },
];

describe('a command', () => {
  test.each(CommandStatus.options.filter((status) => hasEnded({ status })))('that is %s stays so', (status) => {
    for (const step of STEPS) {
      expect(stepped(command({ status }), step)).toBeNull();
      expect(stepped(command({ status, persist: true }), step)).toBeNull();
    }
  });

  test('goes from queued to sent to delivered to its answer, and never back', () => {
    const sent = stepped(command(), { at: 1, kind: 'sent', link: 'a' });
    expect(sent).toMatchObject({ status: 'sent', linkId: 'a', sentAt: new Date(1) });
    const delivered = sent && stepped(sent, { at: 2, kind: 'delivered' });
    expect(delivered).toMatchObject({ status: 'delivered', sentAt: new Date(1), deliveredAt: new Date(2) });
    expect(delivered && stepped(delivered, { at: 3, kind: 'sent', link: 'b' })).toBeNull();
    expect(delivered && stepped(delivered, { at: 3, kind: 'delivered' })).toBeNull();
    const answered = delivered && stepped(delivered, { at: 3, kind: 'answered', outcome: { ok: true, result: [1] } });
    expect(answered).toMatchObject({ status: 'succeeded', result: [1], error: null, finishedAt: new Date(3) });
  });

  test('that is answered at once was sent and delivered by then', () => {
    const answered = stepped(command(), { at: 3, kind: 'answered', outcome: { ok: false, error: 'no such method' } });
    const at = new Date(3);
    expect(answered).toMatchObject({ status: 'failed', error: 'no such method', sentAt: at, deliveredAt: at });
  });

  test('is not overdue before its time', () => {
    expect(stepped(command(), { at: EXPIRES - 1, kind: 'overdue' })).toBeNull();
  });

  test.each([
    ['queued', false, 'expired'],
    ['queued', true, 'expired'],
    ['sent', false, 'timed-out'],
    ['sent', true, 'expired'],
    ['delivered', false, 'timed-out'],
    ['delivered', true, 'timed-out'],
  ] as const)('that is %s when its time is over (persist: %s) is %s', (status, persist, end) => {
    const ended = stepped(command({ status, persist }), { at: EXPIRES, kind: 'overdue' });
    expect(ended).toMatchObject({ status: end, error: expect.any(String), finishedAt: new Date(EXPIRES) });
  });

  test('that somebody waits for ends when its device is gone, unless the device has it', () => {
    expect(stepped(command({ status: 'sent' }), { at: 1, kind: 'unreachable' })).toMatchObject({ status: 'expired' });
    expect(stepped(command({ status: 'delivered' }), { at: 1, kind: 'unreachable' })).toBeNull();
  });
});

describe('a command that is kept', () => {
  const sentOver = (linkId: string) => command({ status: 'sent', persist: true, linkId });

  test('stays when its device is gone', () => {
    expect(stepped(sentOver('a'), { at: 1, kind: 'unreachable' })).toBeNull();
  });

  test('is sent again over a newer link, or over the same, and not over an older one', () => {
    expect(stepped(sentOver('b'), { at: 1, kind: 'sent', link: 'c' })).toMatchObject({ status: 'sent', linkId: 'c' });
    expect(stepped(sentOver('b'), { at: 1, kind: 'sent', link: 'b' })).not.toBeNull();
    expect(stepped(sentOver('b'), { at: 1, kind: 'sent', link: 'a' })).toBeNull();
  });

  test('is not sent once its time is over', () => {
    const queued = command({ persist: true });
    expect(stepped(queued, { at: EXPIRES, kind: 'sent', link: 'a' })).toBeNull();
    expect(stepped(queued, { at: EXPIRES - 1, kind: 'sent', link: 'a' })).not.toBeNull();
  });
});

test('a command that somebody waits for is sent once', () => {
  expect(stepped(command({ status: 'sent', linkId: 'a' }), { at: 1, kind: 'sent', link: 'b' })).toBeNull();
});
