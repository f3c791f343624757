import base from '../../../jest.config.js';

/** The packed package in applications of other people; not in `npm test`, since it installs, and compiles a dozen times. */
export default {
  ...base,
  rootDir: '../../..',
  roots: ['<rootDir>/test/package/consumers'],
  testRegex: String.raw`\.long\.ts$`,
  maxWorkers: 2,
  // Installing takes most of it, the first time.
  testTimeout: 300_000,
};
