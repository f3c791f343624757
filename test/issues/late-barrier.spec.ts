import { afterEach, expect, it } from '@jest/globals';
import { CacheTimeoutError } from '../../lib/common/errors.js';
import { openCache, type TestCache } from '../support/caches.js';

/**
 * `writeThrough` gave END its value also for keys whose BEGIN had been given up after its deadline. Such a BEGIN may be
 * carried out long after: behind an evict that had returned meanwhile, and just before END, which then found a fresh and
 * untainted barrier and stored a value that the evict had outdated. A relapse shows as the old value being cached.
 */
let undo: (() => void) | undefined;
afterEach(() => undo?.());

/** A BEGIN that times out here, and is carried out when END comes. */
function delayBegin(cache: TestCache): void {
  const { store } = cache.engine['parts'];
  const { barrierBegin, barrierEnd } = store;
  let late: (() => Promise<void>) | undefined;
  store.barrierBegin = async (key, request) => {
    late = () => barrierBegin.call(store, key, request);
    throw new CacheTimeoutError('barrierBegin was not answered');
  };
  store.barrierEnd = async (key, request) => {
    await late?.();
    return barrierEnd.call(store, key, request);
  };
  undo = () => Object.assign(store, { barrierBegin, barrierEnd });
}

it('W1 writeThrough — BEGIN is carried out only after an evict that has returned → nothing is stored', async () => {
  const cache = await openCache('memory');
  delayBegin(cache);
  let row = 0;
  await cache.service.writeThrough('k', async () => {
    const written = ++row;
    // Somebody else commits and evicts before this writer's END.
    row++;
    await cache.service.evict('k');
    return written;
  });
  expect(await cache.service.getOrSet('k', () => row)).toBe(2);
});
