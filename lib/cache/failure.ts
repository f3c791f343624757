import { CacheConnectionError } from '../common/errors.js';
import type { CacheParts } from './parts.js';

/** What a call answers where Redis has failed it. */
interface Answer {
  readonly operation: string;
  readonly returning: unknown;
}

/** Redis has failed a call: `onError` hears of it, and (`failure: 'strict'`) the error is thrown; else the call goes on. */
export function goOnWithout(
  { settings, reporter }: Pick<CacheParts, 'settings' | 'reporter'>,
  { operation, returning }: Answer,
  error: unknown,
): void {
  const { failure } = settings;
  reporter.report(operation, failure === 'strict' ? undefined : returning, error);
  if (failure === 'strict') throw error;
}

/** What is at this key must not be used, nor changed. */
export const notEvicted = (key: unknown): CacheConnectionError =>
  new CacheConnectionError(
    'An evict of this key, of a tag, or of its namespace has not reached Redis yet; until it has, this process uses nothing that it concerns',
    { key },
  );
