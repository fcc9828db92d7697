import type { CommandStatus } from '#contracts';
import type { CommandEntity } from './command.entity.ts';

/** What a device answered. */
export type CommandOutcome = { ok: true; result: unknown } | { ok: false; error: string };

/** What changes as a command goes on. */
export type CommandState = Pick<
  CommandEntity,
  'status' | 'persist' | 'linkId' | 'expiresAt' | 'sentAt' | 'deliveredAt' | 'finishedAt' | 'result' | 'error'
>;

/** Something that happened to a command at a time, ms since the epoch. */
export type CommandStep = { at: number } & (
  | { kind: 'sent'; link: string }
  | { kind: 'delivered' }
  | { kind: 'answered'; outcome: CommandOutcome }
  | { kind: 'cancelled' }
  /** Its time may be over. */
  | { kind: 'overdue' }
  /** The device was there, but is gone. */
  | { kind: 'unreachable' }
);

const ENDED: ReadonlySet<CommandStatus> = new Set(['succeeded', 'failed', 'timed-out', 'expired', 'cancelled']);

/** Those that may still change. */
export const OPEN_STATUSES = ['queued', 'sent', 'delivered'] as const satisfies CommandStatus[];

export const hasEnded = ({ status }: { status: CommandStatus }): boolean => ENDED.has(status);

/** The error of a command that ended because its device was not linked any more when it was to be sent. */
export const UNREACHABLE = 'The device is not connected.';

/**
 * The state of a command once the step is taken; null if the step changes nothing: what has ended stays as it ended, and a step that
 * is behind the command comes too late.
 */
export function stepped(state: CommandState, step: CommandStep): CommandState | null {
  if (hasEnded(state)) return null;
  const at = new Date(step.at);
  switch (step.kind) {
    case 'sent':
      return maySend(state, step) ? { ...state, status: 'sent', linkId: step.link, sentAt: at } : null;
    case 'delivered':
      if (state.status === 'delivered') return null;
      return { ...state, status: 'delivered', sentAt: state.sentAt ?? at, deliveredAt: at };
    case 'answered':
      return answered(state, step.outcome, at);
    case 'cancelled':
      return { ...state, status: 'cancelled', finishedAt: at };
    case 'overdue':
      return state.expiresAt > at ? null : { ...state, ...overdue(state), finishedAt: at };
    case 'unreachable':
      if (state.persist || state.status === 'delivered') return null;
      return { ...state, status: 'expired', error: UNREACHABLE, finishedAt: at };
  }
}

/** Ids of links are of version 7: what was sent over an older link, and not delivered, is sent again over a newer one. */
function maySend({ status, persist, linkId, expiresAt }: CommandState, { link, at }: { link: string; at: number }) {
  if (persist && expiresAt.getTime() <= at) return false;
  return status === 'queued' || (status === 'sent' && persist && linkId !== null && linkId <= link);
}

const answered = (state: CommandState, outcome: CommandOutcome, at: Date): CommandState => ({
  ...state,
  status: outcome.ok ? 'succeeded' : 'failed',
  result: outcome.ok ? outcome.result : null,
  error: outcome.ok ? null : outcome.error,
  sentAt: state.sentAt ?? at,
  deliveredAt: state.deliveredAt ?? at,
  finishedAt: at,
});

function overdue({ status, persist }: CommandState): Pick<CommandState, 'status' | 'error'> {
  const isDelivered = status === 'delivered' || (status === 'sent' && !persist);
  return isDelivered
    ? { status: 'timed-out', error: 'The device did not answer in time.' }
    : { status: 'expired', error: 'It could not be delivered in time.' };
}
