import { types } from 'node:util';
import type { OptionProblem } from '../common/errors.js';

/** What the application has given, or made by a function, by its shape: a client may come from another installed copy of ioredis. */
export const isClient = (given: unknown): boolean =>
  ['evalsha', 'duplicate', 'sendCommand'].every(
    (name) => typeof (given as Record<string, unknown> | null | undefined)?.[name] === 'function',
  );

export const noClient = (given: unknown): OptionProblem => ({
  path: 'topology.client',
  given: types.isPromise(given)
    ? 'a function that gives a promise'
    : `a function that gives ${given === null ? 'null' : `a value of type ${typeof given}`}`,
  accepted:
    'a client of ioredis, or a function that gives one at once; await what it needs in forRootAsync',
});
