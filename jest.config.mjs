/** One project a kind of test; `npx jest --selectProjects unit` runs one of them. */
const common = {
  testEnvironment: '<rootDir>/libs/testing/jest/environment.mjs',
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2023',
          keepClassNames: true,
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
        module: { type: 'es6' },
        sourceMaps: true,
      },
    ],
  },
};

/** For the kinds of test that need real servers: those they share are started once a run. */
const withServers = {
  ...common,
  globalSetup: '<rootDir>/libs/testing/jest/global-setup.mjs',
  globalTeardown: '<rootDir>/libs/testing/jest/global-teardown.mjs',
};

/** @type {import('jest').Config} */
export default {
  projects: [
    {
      ...common,
      displayName: 'unit',
      roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/bench'],
      testMatch: ['**/*.spec.ts'],
      testPathIgnorePatterns: ['\\.(contract|integration)\\.spec\\.ts$', '/node_modules/'],
    },
    {
      ...withServers,
      displayName: 'contract',
      roots: ['<rootDir>/apps', '<rootDir>/libs'],
      testMatch: ['**/*.contract.spec.ts'],
    },
    {
      ...withServers,
      displayName: 'integration',
      roots: ['<rootDir>/apps', '<rootDir>/libs'],
      testMatch: ['**/*.integration.spec.ts'],
    },
    { ...withServers, displayName: 'e2e', roots: ['<rootDir>/e2e'], testMatch: ['**/*.spec.ts'] },
  ],
  maxWorkers: 2,
  testTimeout: 30_000,
  workerIdleMemoryLimit: '512MB',
  reporters: ['default', '<rootDir>/scripts/summary-reporter.mjs'],
};
