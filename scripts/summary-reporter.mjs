import { writeFileSync } from 'node:fs';

/** A run's closing line, `N passed, N failed`, with `, N skipped` where some were. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * Counts a jest run; a suite that does not load counts as a failure. The counts go to the file that SUMMARY_FILE names
 * (for test.mjs), else the closing line is the last thing that jest prints.
 */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const counts = {
      passed: results.numPassedTests,
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    if (process.env.SUMMARY_FILE) writeFileSync(process.env.SUMMARY_FILE, JSON.stringify(counts));
    else process.once('exit', () => process.stdout.write(`${closingLine(counts)}\n`));
  }
}
