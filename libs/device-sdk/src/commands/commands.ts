import type { Clock } from '../clock.ts';
import { LinkLostError, type Talk } from '../link/talk.ts';
import type { Command, CommandOutcome } from '../link/transport.ts';

export type { Command } from '../link/transport.ts';

/** Carries out a command: what it returns is the answer, as JSON; what it throws is the reason of its failure. */
export type CommandHandler = (command: Command) => unknown;

interface Run {
  command: Command;
  /** Never rejects. */
  outcome: Promise<CommandOutcome>;
  /** Bytes of the answer, once there is one. */
  bytes: number;
  finished: boolean;
  /** The platform may not have this answer, given until then (ms since the epoch). */
  unsure?: { outcome: CommandOutcome; until: number };
}

/** Answers that are remembered, for commands that are delivered again. */
const REMEMBERED = 256;
const REMEMBERED_BYTES = 1_048_576;
/** An answer has to fit into one packet. */
const ANSWER_BYTES = 60_000;
/** After this many milliseconds the platform is told that the device has the command and goes on with it. */
const QUICK_MS = 1_000;
/** A link that ends so soon after an answer by acknowledgement, which nobody confirms, may have lost it. */
const UNSURE_MS = 60_000;

/** Carries out the commands of the platform, each once, however often it is delivered, and sees to it that the answer arrives. */
export class Commands {
  private readonly handlers = new Map<string | undefined, CommandHandler>();
  private readonly runs = new Map<string, Run>();

  constructor(
    private readonly talk: Talk,
    private readonly clock: Clock,
  ) {}

  /** Without a method: for all methods that have no handler of their own. The latest handler of a method counts. */
  handle(method: string | undefined, handler: CommandHandler): void {
    this.handlers.set(method, handler);
  }

  /** A command came; `reply` answers it at once over the link that brought it, if there is such a way. */
  receive(command: Command, reply?: (outcome: CommandOutcome) => boolean): void {
    const run = this.runs.get(command.id) ?? this.start(command);
    void this.answerWhenDone(run, reply);
  }

  /** Answers that may not have arrived are given again. */
  linkUp(): void {
    for (const run of this.runs.values()) {
      if (run.unsure && this.clock.now() < run.unsure.until) void this.answer(run, run.unsure.outcome);
    }
  }

  private start(command: Command): Run {
    const run: Run = { command, outcome: this.carryOut(command), bytes: 0, finished: false };
    this.runs.set(command.id, run);
    void run.outcome.then((outcome) => this.remember(run, outcome));
    return run;
  }

  private async carryOut(command: Command): Promise<CommandOutcome> {
    const handler = this.handlers.get(command.method) ?? this.handlers.get(undefined);
    if (!handler) return { ok: false, error: `This device knows no command ${command.method}.` };
    try {
      return sendable(await handler(command));
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  }

  private remember(run: Run, outcome: CommandOutcome): void {
    run.finished = true;
    run.bytes = Buffer.byteLength(JSON.stringify(outcome));
    const finished = [...this.runs].filter(([, { finished: done }]) => done);
    let bytes = finished.reduce((sum, [, { bytes: each }]) => sum + each, 0);
    let count = finished.length;
    for (const [id, oldest] of finished) {
      if (count <= REMEMBERED && bytes <= REMEMBERED_BYTES) return;
      this.runs.delete(id);
      count -= 1;
      bytes -= oldest.bytes;
    }
  }

  private async answerWhenDone(run: Run, reply?: (outcome: CommandOutcome) => boolean): Promise<void> {
    const late = { told: false };
    const cancel = this.clock.after(QUICK_MS, () => {
      late.told = true;
      this.talk.confirmCommand(run.command);
    });
    const outcome = await run.outcome;
    cancel();
    if (!late.told && reply?.(outcome)) run.unsure = { outcome, until: this.clock.now() + UNSURE_MS };
    else await this.answer(run, outcome);
  }

  private async answer(run: Run, outcome: CommandOutcome): Promise<void> {
    run.unsure = { outcome, until: Infinity };
    try {
      await this.talk.answerCommand(run.command, outcome);
    } catch (error) {
      if (error instanceof LinkLostError) return;
    }
    run.unsure = undefined;
  }
}

function sendable(result: unknown): CommandOutcome {
  const json = jsonOf(result);
  const bytes = Buffer.byteLength(json ?? '');
  if (bytes > ANSWER_BYTES) {
    return { ok: false, error: `The answer has ${bytes} bytes and may have ${ANSWER_BYTES}.` };
  }
  return { ok: true, result: json === undefined ? null : result };
}

/** Undefined for what JSON has no form of, such as undefined itself. */
const jsonOf = (value: unknown): string | undefined => JSON.stringify(value);
