import base from '../../jest.config.js';

// Inherited by the processes of the run. `short`: some 45 s instead of some ten minutes.
const form = (process.env.TEST_FAULTS ??= 'whole');

/** The whole fault suite, `npm run test:faults`: longer faults, more of them, and the table of what was measured. */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/test/faults'],
  testPathIgnorePatterns: ['/node_modules/'],
  testRegex: form === 'whole' ? String.raw`\.(spec|long)\.ts$` : base.testRegex,
  globalTeardown: '<rootDir>/test/faults/print-table.ts',
  // What is measured is time.
  maxWorkers: 1,
  testTimeout: 120_000,
};
