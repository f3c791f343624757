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
  // Most of what the suites do is wait.
  maxWorkers: 2,
  // A server in a container takes half a second to start, and on a busy machine several times that.
  testTimeout: 45_000,
};
