import { expect, jest } from '@jest/globals';
import { CacheConnectionError } from '../../../lib/common/errors.js';
import type { TestCache } from '../../support/caches.js';
import { waitFor } from '../../support/wait-for.js';

/** An evict that does not reach Redis, and waits to be tried again. What this gives lets it through, and resolves once it is. */
export async function evictInVain(
  { engine, service }: TestCache,
  key: string,
): Promise<() => Promise<void>> {
  const { store } = engine['parts'];
  const reason = new CacheConnectionError('gone');
  const evicts = [
    jest.spyOn(store, 'evictMany').mockResolvedValue([{ status: 'rejected', reason }]),
    jest.spyOn(store, 'evict').mockRejectedValue(reason),
  ];
  await expect(service.evict(key)).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
  return async () => {
    for (const each of evicts) each.mockRestore();
    await waitFor(() => engine.pending().journal === 0);
  };
}
