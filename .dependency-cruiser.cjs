/** Files that only tests and benches run (typescript-*.mjs load a worker from its sources): they may use what is installed for development. */
const TEST_CODE = '\\.spec\\.ts$|\\.suite\\.ts$|/test/|^libs/testing/|^e2e/|^bench/|/typescript-[a-z]+\\.mjs$';
/** Where a process begins. */
const ENTRIES = '(^apps/[^/]+/src/(main|write-[^/]+)|\\.worker)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'apps-are-apart',
      comment: 'Apps talk by messages (libs/contracts); only standalone composes them in one process.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/standalone/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-know-no-app',
      comment: 'A library that needs something of an app takes it as an argument.',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'libs-by-their-index',
      comment:
        'Import a library by its name (#contracts): its index.ts is what it offers. (e2e and bench may not look inside either.)',
      severity: 'error',
      from: { path: '^(?:libs/([^/]+)|apps|e2e|bench)/' },
      to: { path: '^libs/[^/]+/src/', pathNot: '^libs/$1/|^libs/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'contracts-import-zod-only',
      severity: 'error',
      from: { path: '^libs/contracts/', pathNot: TEST_CODE },
      to: { pathNot: '^libs/contracts/|^node_modules/zod/' },
    },
    {
      name: 'device-sdk-without-nest',
      comment: 'The SDK runs on devices: nothing of it may lead to Nest.',
      severity: 'error',
      from: { path: '^libs/device-sdk/src/', pathNot: TEST_CODE },
      to: { path: '^node_modules/@nestjs/', reachable: true },
    },
    {
      name: 'only-modules-choose-adapters',
      comment: 'Use cases know ports; the module file of the room or app picks the adapter.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: `\\.(module|adapter)\\.ts$|${ENTRIES}|${TEST_CODE}` },
      to: { path: '\\.adapter\\.ts$' },
    },
    {
      name: 'no-tests-in-products',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: TEST_CODE },
      to: { path: TEST_CODE },
    },
    {
      name: 'no-development-packages-in-products',
      comment: 'It would be missing where `npm ci --omit=dev` installed the project: move it to dependencies.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: TEST_CODE },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '^node_modules/@types/' },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'Add it to package.json.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-circles',
      comment: 'Imports of types alone do not count.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-dead-files',
      comment: 'Nothing that runs leads to this file.',
      severity: 'error',
      from: { path: `${ENTRIES}|^libs/[^/]+/src/index\\.ts$|${TEST_CODE}` },
      to: {
        path: '^(apps|libs)/',
        pathNot: `${ENTRIES}|${TEST_CODE}|^libs/[^/]+/src/index\\.ts$|^apps/dashboard/|\\.d\\.m?ts$`,
        reachable: false,
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'require', 'node', 'default', 'types'],
    },
  },
};
