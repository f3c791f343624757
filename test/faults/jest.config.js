import base from '../../jest.config.js';

// Inherited by the processes of the run.
process.env.TEST_FAULTS = 'whole';

/** The whole fault suite, `npm run test:faults`: longer faults, more of them, and the table of what was measured. */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/test/faults'],
  testPathIgnorePatterns: ['/node_modules/'],
  testRegex: String.raw`\.(spec|long)\.ts$`,
  globalTeardown: '<rootDir>/test/faults/print-table.ts',
  // What is measured is time.
  maxWorkers: 1,
  testTimeout: 120_000,
};
