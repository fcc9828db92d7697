import { TestEnvironment } from 'jest-environment-node';

/** Ends what a test file started through libs/testing and left running, whether its tests passed or not. */
export default class FieldlineEnvironment extends TestEnvironment {
  async teardown() {
    const running = [...(this.global.fieldlineRunning ?? [])].reverse();
    for (const end of running) await end().catch((error) => process.stderr.write(`${error}\n`));
    await super.teardown();
  }
}
