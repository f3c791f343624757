import { CacheEvictError } from '../../common/errors.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { EvictJournal } from '../evict-journal.js';
import type { Flights } from '../flights.js';
import type { CacheParts } from '../parts.js';

/** Evicts keys. Once it has resolved, nothing older is served by any read that begins later. */
export class Evictor {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { flights: Flights; journal: EvictJournal },
  ) {}

  /**
   * The number of entries that existed. Keys whose evict has not reached Redis go to the journal; then it rejects with
   * `CacheEvictError`, or with `queue` resolves.
   */
  async evict(keys: readonly EntryKey[], failure: 'throw' | 'queue'): Promise<number> {
    const { existed, error } = await this.tryToEvict(keys);
    if (!error) return existed;
    this.parts.reporter.report('evict', failure === 'queue' ? existed : undefined, error);
    if (failure === 'throw') throw error;
    return existed;
  }

  /** The same for who tells of the error, which is given and not thrown. */
  async tryToEvict(
    keys: readonly EntryKey[],
  ): Promise<{ existed: number; error?: CacheEvictError }> {
    for (const key of keys) this.outdate(key);
    const results = await this.parts.store.evictMany(keys.map((key) => key.redisKey));
    const failed = keys.filter((_, i) => results[i]!.status === 'rejected');
    for (const key of failed) this.state.journal.addKey(key);
    // Again: what was read while the evict was on its way may be older. What was loaded is not, it began after the commit.
    for (const key of keys) this.forget(key);
    // Also of those that failed: in this process they are as good as evicted.
    this.parts.feed.own({ reason: 'evict', keys });
    const existed = results.filter((r) => r.status === 'fulfilled' && r.value).length;
    if (failed.length === 0) return { existed };
    const cause = results.find((r) => r.status === 'rejected')!.reason as unknown;
    const given = failed.map((key) => key.given);
    return { existed, error: new CacheEvictError(given, { cause }) };
  }

  /** Nobody in this process joins a load, or uses a copy, from before now. */
  outdate(key: EntryKey): void {
    const { flights } = this.state;
    flights.doom(flights.joinable(key.redisKey));
    this.forget(key);
  }

  /** Nobody in this process uses a copy from before now. */
  private forget({ redisKey }: EntryKey): void {
    this.parts.tier?.drop(redisKey);
    this.parts.memos.forget(redisKey);
  }
}
