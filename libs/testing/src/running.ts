/** What is still to be ended, newest last. On globalThis, where jest's environment finds it (libs/testing/jest/environment.mjs). */
declare global {
  var fieldlineRunning: Set<() => Promise<void>> | undefined;
}

/**
 * Has `end` called when the test file is over, should nobody have called the returned function before.
 * Outside of jest nothing calls it: whoever starts something there ends it.
 */
export function endWithTheTests(end: () => Promise<void>): () => Promise<void> {
  const running = (globalThis.fieldlineRunning ??= new Set());
  const endOnce = async () => {
    if (running.delete(endOnce)) await end();
  };
  running.add(endOnce);
  return endOnce;
}
