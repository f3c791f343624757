import type { Invalidation } from '../common/invalidation.js';
import type { TagVersions } from '../tags/tag-table.js';

/**
 * What this process knows of the versions of one namespace, from what it has read, evicted and heard. It may lag behind
 * the table, never be ahead of it.
 */
export class Horizon {
  /** The last version known to have been issued; 0: none is known. */
  clock = 0;
  /** What was loaded under an older version is not used. */
  floor = 0;
  private readonly tags = new Map<string, number>();

  /** Of copies only: an entry in Redis is judged by the table itself. */
  admits(c0: number, tags: readonly string[] | undefined): boolean {
    if (c0 < this.floor) return false;
    return !tags || tags.every((tag) => c0 >= (this.tags.get(tag) ?? 0));
  }

  /** What the table says, also where that is less: then it was lost, and its server's clock is behind. */
  note(versions: Pick<TagVersions, 'clock'> | undefined): void {
    this.clock = versions?.clock ?? 0;
  }

  /** False: that was known. */
  evicted(tags: readonly string[], version: number): boolean {
    const outdated = tags.filter((tag) => version > Math.max(this.floor, this.tags.get(tag) ?? 0));
    this.clock = Math.max(this.clock, version);
    for (const tag of outdated) this.tags.set(tag, version);
    if (this.tags.size > MOST_TAGS) this.cleared(this.clock);
    return outdated.length > 0;
  }

  /** False: that was known. */
  cleared(version: number): boolean {
    if (version <= this.floor) return false;
    this.clock = Math.max(this.clock, version);
    this.floor = version;
    for (const [tag, known] of this.tags) if (known <= version) this.tags.delete(tag);
    return true;
  }
}

/** Tags remembered in a namespace; beyond, its copies go instead. */
const MOST_TAGS = 10_000;
/** Namespaces remembered; beyond, the copies of the one that was met first go. */
const MOST_NAMESPACES = 10_000;

/** The horizons of this process. Copies hold on to theirs, so that a hit costs no look-up. */
export class TagMirror {
  private readonly horizons = new Map<string, Horizon>();
  private live = false;

  /** `oneTable`: each namespace has one table, so that a version means the same for all of its keys. */
  constructor(private readonly options: { oneTable: boolean }) {}

  /** Messages arrive, or no longer do. */
  trust(live: boolean): void {
    this.live = live;
  }

  /** A clock that no later evict has been issued at; undefined where it takes a look at the table. */
  clockOf(path: string): number | undefined {
    if (!this.live || !this.options.oneTable) return undefined;
    return this.horizons.get(path)?.clock || undefined;
  }

  of(path: string): Horizon {
    let horizon = this.horizons.get(path);
    if (horizon) return horizon;
    this.horizons.set(path, (horizon = new Horizon()));
    if (this.horizons.size > MOST_NAMESPACES) {
      const [first, forgotten] = this.horizons.entries().next().value!;
      forgotten.cleared(Infinity);
      this.horizons.delete(first);
    }
    return horizon;
  }

  /** False: it says nothing new. */
  apply(invalidation: Exclude<Invalidation, { keys: readonly string[] }>): boolean {
    const horizon = this.of(invalidation.path);
    return 'tags' in invalidation
      ? horizon.evicted(invalidation.tags, invalidation.version)
      : horizon.cleared(invalidation.version);
  }
}
