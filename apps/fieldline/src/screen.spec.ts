import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { describe, expect, it } from '@jest/globals';
import { createScreen } from './screen.ts';

const WIPE = '\r\u001b[2K';

function screenOn(terminal: object): { screen: ReturnType<typeof createScreen>; written: () => string } {
  const out = new PassThrough();
  const screen = createScreen(Object.assign(out, terminal) as unknown as WriteStream);
  return { screen, written: () => String(out.read() ?? '') };
}

describe('where an import is told', () => {
  it('is one line of a terminal, written over and over and never longer than it is', () => {
    const { screen, written } = screenOn({ isTTY: true, columns: 10 });
    screen.status('0123456789');
    screen.say('stays');
    screen.end(['done']);
    expect(written()).toBe(`${WIPE}012345678${WIPE}stays\n012345678${WIPE}done\n`);
  });

  it('is plain lines now and then where there is no terminal', () => {
    const { screen, written } = screenOn({});
    screen.status('a');
    screen.end(['b', 'c']);
    expect(written()).toBe('a\nb\nc\n');
    expect(screen.intervalMs).toBeGreaterThan(1_000);
  });
});
