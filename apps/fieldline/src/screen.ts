import type { WriteStream } from 'node:tty';

/** Where a run is told: on a terminal one line is written over and over, elsewhere a plain line now and then. */
export interface Screen {
  /** How often the status is worth showing, in milliseconds. */
  readonly intervalMs: number;
  status(line: string): void;
  /** A line that stays, above the status. */
  say(line: string): void;
  /** The last lines, instead of the status. */
  end(lines: readonly string[]): void;
}

export function createScreen(out: WriteStream): Screen {
  if (!out.isTTY) {
    const say = (line: string) => void out.write(`${line}\n`);
    return { intervalMs: 5_000, status: say, say, end: (lines) => lines.forEach(say) };
  }
  const wipe = '\r\u001b[2K';
  let shown = '';
  return {
    intervalMs: 500,
    status: (line) => {
      shown = out.columns > 0 ? line.slice(0, out.columns - 1) : line;
      out.write(`${wipe}${shown}`);
    },
    say: (line) => void out.write(`${wipe}${line}\n${shown}`),
    end: (lines) => void out.write(`${wipe}${lines.join('\n')}\n`),
  };
}
