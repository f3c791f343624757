import { CacheEvictError } from '../../common/errors.js';
import type { Invalidation } from '../../common/invalidation.js';
import type { EvictJournal } from '../evict-journal.js';
import type { CacheParts } from '../parts.js';

/** Evicts by tag, and whole namespaces: one version issued in the tag table, however many entries there are. */
export class TagEvictor {
  constructor(
    private readonly parts: CacheParts,
    private readonly journal: EvictJournal,
  ) {}

  async evictTags(path: string, tags: readonly string[], failure: 'throw' | 'queue') {
    if (tags.length === 0) return;
    const run = (): Promise<void> => this.issue({ path, tags, reason: 'evict' });
    // In one order, so that the same tags evicted twice wait in the journal once.
    const name = `tags ${path} ${JSON.stringify([...tags].sort())}`;
    await this.orLater(name, path, { run, failed: tags, failure });
  }

  async clear(path: string, failure: 'throw' | 'queue'): Promise<void> {
    const run = (): Promise<void> => this.clearNow(path);
    await this.orLater(`clear ${path}`, path, { run, failed: [path], failure });
  }

  /** Without a second try. */
  clearNow(path: string): Promise<void> {
    return this.issue({ path, reason: 'clear' });
  }

  private async issue(what: { path: string; tags?: readonly string[]; reason: 'evict' | 'clear' }) {
    const { path, tags, reason } = what;
    const { tags: table, mirror, announce } = this.parts;
    const version = tags ? await table.bump(path, tags) : await table.clear(path);
    const invalidation: Exclude<Invalidation, { keys: readonly string[] }> = tags
      ? { reason, path, tags, version }
      : { reason, path, version };
    mirror.apply(invalidation);
    await announce(invalidation);
  }

  private async orLater(
    name: string,
    path: string,
    evict: { run: () => Promise<void>; failed: readonly unknown[]; failure: 'throw' | 'queue' },
  ): Promise<void> {
    const { run, failed, failure } = evict;
    try {
      await run();
    } catch (cause) {
      this.journal.add({ name, blocks: { path }, run });
      const error = new CacheEvictError(failed, { cause });
      this.parts.reporter.report('evict', undefined, error);
      if (failure === 'throw') throw error;
    }
  }
}
