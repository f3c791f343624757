/**
 * The versioned tag table: how entries are evicted by tag, and how a namespace is cleared, in time that does not depend on
 * how many entries there are.
 *
 * A namespace has a clock that issues versions, and a table of the last version of each tag. To evict a tag is to issue
 * a new version for it; no entry is touched. An entry keeps c0, what the clock said *before its load started*, and the
 * names of its tags. It is valid while c0 is at least the version of each of them, of the namespace's last clear, and
 * of the base. So:
 *
 * - An evict by tag returned before a read began: the read sees that version, or a higher base, or no table. An entry that
 *   passes has a c0 no lower, so the clock was read after the version was issued, and the load came after the evict.
 * - Read after the load, the clock could count an evict during the load, of which the loaded value knows nothing. An older
 *   c0 than need be is never wrong, it only costs a load. That is why tags may also come out of the loaded value.
 * - The table has no expiry, and its loss is safe: a new one begins with a base above all that is stored.
 *
 * Versions are those of a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): the microseconds of the
 * server that has the table, and one more than the last where that clock has not moved on, or has gone back. The clocks of
 * the processes play no part. Only when the server's clock goes back *and* the table is lost may old entries pass, until
 * the clock has caught up.
 *
 * A table forgets its oldest tags, by age and by number, and raises the base to the highest version it forgot: what was
 * loaded before it is then invalid whatever its tags, and nothing that was loaded after it.
 *
 * Where entries can be read together with another key, a table has a *head*, a string with its clock and its floor, which every
 * step on the table rewrites. Most reads need no more: what was loaded at the clock is valid, what was loaded below the floor
 * is not, and of the rest the versions of its tags are known if they were read under the same head. A head is only ever
 * missing, never wrong: then the table itself is asked, and the head written again.
 *
 * There may be copies of a table, on each shard or spread over a cluster, that know nothing of each other. An entry belongs
 * to the copy that its key chooses: c0 and the check come from there, and versions are issued in all.
 *
 * An implementation rejects with `CacheConnectionError` or `CacheTimeoutError`, and `bump` with `CacheOptionsError` for
 * what is no tag. After a rejection versions may or may not have been issued; to issue them again does no harm.
 */
export interface TagTable {
  /**
   * The c0 of a load that starts when this has resolved. Begins a table where there is none. Asked for in one tick,
   * `clock` and `versions` of one table travel together; neither joins a command already sent.
   */
  clock(redisKey: string): Promise<number>;
  /** What the entry at this key, if it has these tags, is judged by; undefined: the table was lost, and nothing read before is valid. */
  versions(redisKey: string, tags: readonly string[]): Promise<TagVersions | undefined>;
  /**
   * As `versions`, by what takes no command of its own beside a read of the entry: `likelyTags`, and others, may be unknown,
   * see {@link knows}.
   */
  glance(redisKey: string, likelyTags: readonly string[]): Promise<TagVersions | undefined>;
  /** The same for entries that are judged by the same copy of a table: one look at it does for all of them. */
  tableOf(redisKey: string): unknown;
  /**
   * Issues a new version for these tags of the namespace; what carries one of them and was loaded before is invalid from
   * now on. Gives the highest version issued in any copy: no entry that this invalidates has a c0 that high. Without tags nothing
   * is issued, and it is 0.
   */
  bump(path: string, tags: readonly string[]): Promise<number>;
  /** The same for every entry of the namespace; namespaces nested in it have tables of their own. */
  clear(path: string): Promise<number>;
}

export interface TagVersions {
  /** The last version issued: good as the c0 of a load that starts after it was read. */
  readonly clock: number;
  /** What was loaded under an older version is invalid whatever its tags: the higher of the base and the last clear. */
  readonly floor: number;
  /** The last version of each tag asked for, 0 where none is known; perhaps of further tags. */
  readonly tags: ReadonlyMap<string, number>;
}

export interface TagTableLimits {
  /** Tags with an older version are forgotten; default 7 days. Entries that live longer may become invalid early. */
  keepMs: number;
  /**
   * Tags with the oldest versions beyond it are forgotten; default 100 000, about 12 MB. Where more than that are evicted
   * within the life of an entry, entries become invalid early.
   */
  maxTags: number;
}

export const DEFAULT_LIMITS: TagTableLimits = { keepMs: 7 * 86_400_000, maxTags: 100_000 };

/** A bump forgets so many tags more than it has issued versions for, at most: its time stays bounded, and the table too. */
export const FORGET_MORE = 100;

/** No version is above the clock. False also where nothing is known of one of the tags: see {@link knows}. */
export function isValid(
  c0: number,
  tags: readonly string[] | undefined,
  versions: TagVersions | undefined,
): boolean {
  if (!versions || !(c0 >= versions.floor)) return false;
  return (
    !tags || c0 >= versions.clock || tags.every((tag) => c0 >= (versions.tags.get(tag) ?? Infinity))
  );
}

/** Whether an entry can be judged by these versions; if not, it takes another read. */
export function knows(
  { clock, floor, tags: known }: TagVersions,
  c0: number,
  tags: readonly string[] | undefined,
): boolean {
  return !tags || c0 >= clock || c0 < floor || tags.every((tag) => known.has(tag));
}
