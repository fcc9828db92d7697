import type { WriteStream } from 'node:tty';

/** Where a run is told: on a terminal one line is written over and over, elsewhere a plain line now and then. */
export interface Screen {
  /** How often the status is worth showing, in milliseconds. */
  readonly intervalMs: number;
  status(line: string): void;
  /** A line that stays. */
  say(line: string): void;
}

export function createScreen(out: WriteStream): Screen {
  if (!out.isTTY) {
    const say = (line: string) => void out.write(`${line}\n`);
    return { intervalMs: 5_000, status: say, say };
  }
  const wipe = '\r\u001b[2K';
  let shown = '';
  return {
    intervalMs: 500,
    status: (line) => {
      shown = line.slice(0, Math.max(20, out.columns - 1));
      out.write(`${wipe}${shown}`);
    },
    say: (line) => void out.write(`${wipe}${line}\n${shown}`),
  };
}
