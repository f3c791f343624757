import { readHead } from '../../codec/envelope.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { CacheParts } from '../parts.js';

/** Whether the value that a refresh has seen is still there, as of now; without an answer it may be. */
export async function isStillThere(
  { store }: CacheParts,
  { redisKey }: EntryKey,
  id: string,
): Promise<boolean> {
  try {
    return readHead((await store.read(redisKey)) ?? undefined).id === id;
  } catch {
    return true;
  }
}

/** Takes away a value that there is nothing to replace by, if it is still there: a lease in its place, evicted at once. */
export async function takeAway(parts: CacheParts, key: EntryKey, id: string): Promise<void> {
  const { store, ids, settings, tier, feed, reporter } = parts;
  const token = ids.next();
  try {
    const request = { token, leaseMs: settings.lease.ttlMs, reject: id };
    const { state } = await store.acquire(key.redisKey, request);
    if (state !== 'granted') return;
    // Not given back, which nobody is told of: other processes may have copies of the value.
    await store.evict(key.redisKey);
    tier?.drop(key.redisKey);
    feed.own({ reason: 'evict', keys: [key] });
  } catch (error) {
    reporter.report('getOrSet', 'nothing, and the old value is perhaps still there', error);
  }
}
