import { chromiumPath } from './chromium.ts';
import { mongoUrl } from './mongodb.ts';
import { mysqlUrl } from './mysql.ts';
import { hasOwn } from './own-server.ts';

declare const describe: typeof import('@jest/globals').describe;
declare const test: typeof import('@jest/globals').test;

/** What a suite can need; `own-` stands for one that the suite starts, kills and restarts itself. */
export type Need =
  | 'mysql'
  | 'mongodb'
  | 'nats'
  | 'nginx'
  | 'chromium'
  | 'thingsboard-clients'
  | 'own-mysql'
  | 'own-mongodb'
  | 'own-nats';

const IS_THERE: Record<Need, () => boolean> = {
  mysql: () => mysqlUrl() !== undefined,
  mongodb: () => mongoUrl() !== undefined,
  nats: () => Boolean(process.env['NATS_URL']) || hasOwn('nats'),
  nginx: () => hasOwn('nginx'),
  chromium: () => chromiumPath() !== undefined,
  'thingsboard-clients': () => hasOwn('thingsboard-clients'),
  'own-mysql': () => hasOwn('mysql'),
  'own-mongodb': () => hasOwn('mongodb'),
  'own-nats': () => hasOwn('nats'),
};

/**
 * A `describe` for tests that need real servers. Where one is missing its tests are skipped, or, with `CI=true`, replaced
 * by one that fails. The start of the run has said how to get it (libs/testing/jest/global-setup.mjs).
 */
export function describeWith(needs: Need[], name: string, suite: () => void): void {
  const missing = needs.filter((need) => !IS_THERE[need]());
  if (missing.length === 0) describe(name, suite);
  else if (process.env['CI'] === 'true') {
    test(`${name}: needs ${missing.join(', ')}`, () => {
      throw new Error(
        `not there, and CI=true forbids skipping: ${missing.join(', ')}; the start of the run says how to get it`,
      );
    });
  } else describe.skip(name, suite);
}
