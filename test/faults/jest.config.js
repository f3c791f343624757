import base from '../../jest.config.js';

// Inherited by the processes of the run. `short`: less than a minute instead of twelve.
const form = (process.env.TEST_FAULTS ??= 'whole');

/** The whole fault suite, `npm run test:faults`: longer faults, more of them, and the table of what was measured. */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/test/faults'],
  testPathIgnorePatterns: ['/node_modules/'],
  testRegex: form === 'whole' ? String.raw`\.(spec|long)\.ts$` : base.testRegex,
  globalTeardown: '<rootDir>/test/faults/print-table.ts',
  // What is measured is time; in short, whether all of it is right.
  maxWorkers: form === 'whole' ? 1 : 2,
  testTimeout: 120_000,
};
