import { CacheEvictError, isCacheError } from '../../common/errors.js';
import { compileGlob } from '../../keys/glob.js';
import type { EntryKey, KeySpace } from '../../keys/key-space.js';
import type { EvictJournal } from '../evict-journal.js';
import type { KeyListing } from '../key-listing.js';
import type { CacheParts } from '../parts.js';
import type { Evictor } from './evictor.js';

interface PatternEvictState {
  readonly evictor: Evictor;
  readonly journal: EvictJournal;
  readonly listing: KeyListing;
}

export interface PatternEvictOptions {
  failure: 'throw' | 'queue';
  signal?: AbortSignal | undefined;
}

/** Evicts the keys that match a pattern, found by walking over all keys of the servers. */
export class PatternEvictor {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: PatternEvictState,
  ) {}

  /** The number of entries that existed. */
  async evict(
    space: KeySpace,
    glob: string,
    { failure, signal }: PatternEvictOptions,
  ): Promise<number> {
    const { journal, listing } = this.state;
    const compiled = compileGlob(glob);
    const evict = (keys: EntryKey[]): Promise<number> => this.evictKeys(keys);
    const run = (until?: AbortSignal): Promise<number> =>
      listing.forEach(space, compiled, { evict, signal: until });
    const orLater = (cause: unknown): number => {
      // What is not a failure of Redis would fail again each time.
      if (signal?.aborted || !isCacheError(cause)) throw cause;
      const { path } = space;
      // The signal is the caller's, who has his answer: one that aborted later would end every other try.
      const again = (): Promise<number> => run();
      journal.add({ name: `pattern ${path} ${glob}`, blocks: { path }, run: again });
      const error = new CacheEvictError([glob], { cause, kind: 'pattern' });
      this.parts.reporter.report('evictPattern', failure === 'queue' ? 0 : undefined, error);
      if (failure === 'throw') throw error;
      return 0;
    };
    return journal.run(undefined, () => run(signal).catch(orLater));
  }

  private async evictKeys(keys: readonly EntryKey[]): Promise<number> {
    this.parts.meter.evict('evictPattern', keys);
    const { existed, error } = await this.state.evictor.tryToEvict(keys);
    if (error) throw error;
    return existed;
  }
}
