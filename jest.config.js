/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testRegex: String.raw`\.spec\.ts$`,
  // Faults under load measure time: `npm run test:faults`.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/faults/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  transform: { '^.+\\.ts$': '@swc/jest' },
  // Much of what the suites do is wait.
  maxWorkers: 3,
  // What a file has loaded stays in its worker, and a worker that only grows is several times as slow in the end.
  workerIdleMemoryLimit: '400MB',
  // A server in a container takes half a second to start, and on a busy machine several times that.
  testTimeout: 45_000,
};
