import { types } from 'node:util';
import type { OptionProblem } from '../common/errors.js';

/** Whether what the application has given, or made by a function, is a client: by what it can do, for there may be two copies of ioredis. */
export const isClient = (given: unknown): boolean =>
  typeof (given as { sendCommand?: unknown } | null | undefined)?.sendCommand === 'function';

export const noClient = (given: unknown): OptionProblem => ({
  path: 'topology.client',
  given: types.isPromise(given)
    ? 'a function that gives a promise'
    : `a function that gives ${given === null ? 'null' : `a value of type ${typeof given}`}`,
  accepted:
    'a client of ioredis, or a function that gives one at once; await what it needs in forRootAsync',
});
