import { CacheEvictError, type EvictKind } from '../../common/errors.js';
import type { Invalidation } from '../../common/invalidation.js';
import { portionsOf } from '../../common/portions.js';
import { asStored } from '../../tags/tag-names.js';
import type { EvictJournal } from '../evict-journal.js';
import type { CacheParts } from '../parts.js';

interface TagChange {
  readonly path: string;
  /** Without them, everything in the namespace. */
  readonly tags?: readonly string[];
  readonly reason: 'evict' | 'clear';
}

type TagInvalidation = Exclude<Invalidation, { keys: readonly string[] }>;

/** One call. */
interface TagEvict {
  readonly operation: 'evictTags' | 'clear';
  readonly run: () => Promise<void>;
  readonly kind: EvictKind;
  readonly failed: readonly unknown[];
  readonly failure: 'throw' | 'queue';
}

/** Tags in one message, which has a limit. */
const TOLD_TOGETHER = 50;

/** Evicts by tag, and whole namespaces: one version issued in the tag table, however many entries there are. */
export class TagEvictor {
  constructor(
    private readonly parts: CacheParts,
    private readonly journal: EvictJournal,
  ) {}

  async evictTags(path: string, given: readonly string[], failure: 'throw' | 'queue') {
    if (given.length === 0) return;
    // Copies: the caller may change its list before this is over, or tried again.
    const [tags, failed] = [given.map(asStored), [...given]];
    const change = { path, tags, reason: 'evict' } as const;
    const run = (): Promise<void> => this.issue(change);
    // In one order, so that the same tags evicted twice wait in the journal once.
    const name = `tags ${path} ${JSON.stringify([...tags].sort())}`;
    const evict = { operation: 'evictTags', run, kind: 'tags', failed, failure } as const;
    await this.orLater(name, change, evict);
  }

  async clear(path: string, failure: 'throw' | 'queue'): Promise<void> {
    const run = (): Promise<void> => this.clearNow(path);
    const change = { path, reason: 'clear' } as const;
    const evict = { operation: 'clear', run, kind: 'namespace', failed: [path], failure } as const;
    await this.orLater(`clear ${path}`, change, evict);
  }

  /** Without a second try. */
  clearNow(path: string): Promise<void> {
    return this.issue({ path, reason: 'clear' });
  }

  private async issue({ path, tags, reason }: TagChange): Promise<void> {
    const { tags: table, mirror, announce, feed } = this.parts;
    const version = tags ? await table.bump(path, tags) : await table.clear(path);
    const whole = { reason, path, version };
    const invalidation: TagInvalidation = tags ? { ...whole, tags } : whole;
    mirror.apply(invalidation);
    feed.own(invalidation);
    const told = tags
      ? [...portionsOf(tags, TOLD_TOGETHER)].map((some) => ({ ...whole, tags: some }))
      : [whole];
    await Promise.all(told.map((each) => announce(each)));
  }

  private async orLater(
    name: string,
    change: TagChange,
    { operation, run, kind, failed, failure }: TagEvict,
  ): Promise<void> {
    try {
      await run();
    } catch (cause) {
      this.journal.add({ name, blocks: { path: change.path }, run });
      // In this process it is as good as done.
      this.parts.feed.own(change);
      const error = new CacheEvictError(failed, { cause, kind });
      this.parts.reporter.report(operation, undefined, error);
      if (failure === 'throw') throw error;
    }
  }
}
