import { CacheEvictError } from '../../common/errors.js';
import type { Invalidation } from '../../common/invalidation.js';
import type { EvictJournal } from '../evict-journal.js';
import type { CacheParts } from '../parts.js';

interface TagChange {
  readonly path: string;
  /** Without them, everything in the namespace. */
  readonly tags?: readonly string[];
  readonly reason: 'evict' | 'clear';
}

/** Evicts by tag, and whole namespaces: one version issued in the tag table, however many entries there are. */
export class TagEvictor {
  constructor(
    private readonly parts: CacheParts,
    private readonly journal: EvictJournal,
  ) {}

  async evictTags(path: string, tags: readonly string[], failure: 'throw' | 'queue') {
    if (tags.length === 0) return;
    const change = { path, tags, reason: 'evict' } as const;
    const run = (): Promise<void> => this.issue(change);
    // In one order, so that the same tags evicted twice wait in the journal once.
    const name = `tags ${path} ${JSON.stringify([...tags].sort())}`;
    await this.orLater(name, change, { run, failed: tags, failure });
  }

  async clear(path: string, failure: 'throw' | 'queue'): Promise<void> {
    const run = (): Promise<void> => this.clearNow(path);
    const change = { path, reason: 'clear' } as const;
    await this.orLater(`clear ${path}`, change, { run, failed: [path], failure });
  }

  /** Without a second try. */
  clearNow(path: string): Promise<void> {
    return this.issue({ path, reason: 'clear' });
  }

  private async issue({ path, tags, reason }: TagChange): Promise<void> {
    const { tags: table, mirror, announce, feed } = this.parts;
    const version = tags ? await table.bump(path, tags) : await table.clear(path);
    const invalidation: Exclude<Invalidation, { keys: readonly string[] }> = tags
      ? { reason, path, tags, version }
      : { reason, path, version };
    mirror.apply(invalidation);
    feed.own(invalidation);
    await announce(invalidation);
  }

  private async orLater(
    name: string,
    change: TagChange,
    evict: { run: () => Promise<void>; failed: readonly unknown[]; failure: 'throw' | 'queue' },
  ): Promise<void> {
    const { run, failed, failure } = evict;
    try {
      await run();
    } catch (cause) {
      this.journal.add({ name, blocks: { path: change.path }, run });
      // In this process it is as good as done.
      this.parts.feed.own(change);
      const error = new CacheEvictError(failed, { cause });
      this.parts.reporter.report('evict', undefined, error);
      if (failure === 'throw') throw error;
    }
  }
}
