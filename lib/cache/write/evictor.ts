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
    const results = await Promise.allSettled(keys.map((key) => this.evictOne(key)));
    const failed = keys.filter((_, i) => results[i]!.status === 'rejected');
    const existed = results.filter((r) => r.status === 'fulfilled' && r.value).length;
    if (failed.length === 0) return existed;
    const first = results.find((r) => r.status === 'rejected')!.reason as unknown;
    const error = new CacheEvictError(
      failed.map((key) => key.given),
      { cause: first },
    );
    this.parts.reporter.report('evict', failure === 'queue' ? existed : undefined, error);
    if (failure === 'throw') throw error;
    return existed;
  }

  private async evictOne(key: EntryKey): Promise<boolean> {
    const { flights, journal } = this.state;
    flights.doom(flights.joinable(key.redisKey));
    try {
      const existed = await this.parts.store.evict(key.redisKey);
      // A load that began in between without Redis has no lease that this evict could have taken away.
      flights.doom(flights.joinable(key.redisKey));
      return existed;
    } catch (error) {
      journal.add(key);
      flights.doom(flights.joinable(key.redisKey));
      throw error;
    }
  }
}
