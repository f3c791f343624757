import type { Clock } from '../common/clock.js';
import type { Invalidation } from '../common/invalidation.js';
import type { TagVersions } from '../tags/tag-table.js';

/**
 * What this process knows of the versions of one namespace, from what it has read, evicted and heard. It may lag behind
 * the table, never be ahead of it.
 */
export class Horizon {
  /** The last version known to have been issued; 0: none is known. */
  clock = 0;
  /** Monotonic ms; since then nothing has said otherwise. */
  knownAt = -Infinity;
  /** What was loaded under an older version is not used. */
  floor = 0;
  private readonly tags = new Map<string, number>();

  /** Of copies only: an entry in Redis is judged by the table itself. */
  admits(c0: number, tags: readonly string[] | undefined): boolean {
    if (c0 < this.floor) return false;
    return !tags || tags.every((tag) => c0 >= (this.tags.get(tag) ?? 0));
  }

  /**
   * What a look has found; undefined: the table was lost. One that says less than is known is an older one that comes late, or the table
   * was lost and its server's clock is behind: either way nobody knows until there is another.
   */
  note(versions: Pick<TagVersions, 'clock'> | undefined, now: number): void {
    if (!versions) this.clock = 0;
    else if (versions.clock < this.clock) this.knownAt = -Infinity;
    else this.issued(versions.clock, now);
  }

  private issued(version: number, now: number): void {
    if (version < this.clock) return;
    this.clock = version;
    this.knownAt = now;
  }

  /** False: that was known. */
  evicted(tags: readonly string[], version: number, now: number): boolean {
    const outdated = tags.filter((tag) => version > Math.max(this.floor, this.tags.get(tag) ?? 0));
    this.issued(version, now);
    for (const tag of outdated) this.tags.set(tag, version);
    if (this.tags.size > MOST_TAGS) this.cleared(this.clock, now);
    return outdated.length > 0;
  }

  /** False: that was known. */
  cleared(version: number, now: number): boolean {
    if (version <= this.floor) return false;
    this.issued(version, now);
    this.floor = version;
    for (const [tag, known] of this.tags) if (known <= version) this.tags.delete(tag);
    return true;
  }
}

/** Tags remembered in a namespace; beyond, its copies go instead. */
const MOST_TAGS = 10_000;
/** Namespaces remembered; beyond, the copies of the one that was met first go. */
const MOST_NAMESPACES = 10_000;

/** Nobody tells of a table that was lost: until then a value may be stored under a clock of the one before, and is a miss. */
const KNOWN_FOR_MS = 100;

/** The horizons of this process. Copies hold on to theirs, so that a hit costs no look-up. */
export class TagMirror {
  private readonly horizons = new Map<string, Horizon>();
  private live = false;
  /** What was known before is not. */
  private since = -Infinity;

  /** `oneTable`: each namespace has one table, so that a version means the same for all of its keys. */
  constructor(private readonly options: { oneTable: boolean; clock: Clock }) {}

  /** Messages arrive, or no longer do. */
  trust(live: boolean): void {
    this.live = live;
    this.distrust();
  }

  /** Messages may have been lost. */
  distrust(): void {
    this.since = this.options.clock.monotonic();
  }

  /** What a look at the table of a namespace has found. */
  note(path: string, versions: Pick<TagVersions, 'clock'> | undefined): void {
    this.of(path).note(versions, this.options.clock.monotonic());
  }

  /** A clock that no later evict has been issued at; undefined where it takes a look at the table. */
  clockOf(path: string): number | undefined {
    const { oneTable, clock } = this.options;
    const horizon = this.live && oneTable ? this.horizons.get(path) : undefined;
    if (!horizon || horizon.clock === 0) return undefined;
    const oldest = Math.max(this.since, clock.monotonic() - KNOWN_FOR_MS);
    return horizon.knownAt >= oldest ? horizon.clock : undefined;
  }

  of(path: string): Horizon {
    let horizon = this.horizons.get(path);
    if (horizon) return horizon;
    this.horizons.set(path, (horizon = new Horizon()));
    if (this.horizons.size > MOST_NAMESPACES) {
      const [first, forgotten] = this.horizons.entries().next().value!;
      forgotten.cleared(Infinity, -Infinity);
      this.horizons.delete(first);
    }
    return horizon;
  }

  /** False: it says nothing new. */
  apply(invalidation: Exclude<Invalidation, { keys: readonly string[] }>): boolean {
    const horizon = this.of(invalidation.path);
    const now = this.options.clock.monotonic();
    return 'tags' in invalidation
      ? horizon.evicted(invalidation.tags, invalidation.version, now)
      : horizon.cleared(invalidation.version, now);
  }
}
