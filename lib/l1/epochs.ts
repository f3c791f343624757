/** What was true of a key before a read of it was sent; see {@link Epochs}. */
export interface Note {
  readonly bucket: number;
  readonly epoch: number;
  /** The shard that the key is on, and how often everything of it had been invalidated. */
  readonly shard: number;
  readonly era: number;
}

/** Two keys in one bucket only cost a copy that is not kept. */
const BUCKETS = 65_536;

/**
 * Counts invalidations, so that a reply that an invalidation has overtaken is recognised: a copy may be kept only if nothing
 * was counted between the read's sending and its reply. A fixed table, since a counter per key would grow for ever.
 */
export class Epochs {
  private readonly counters = new Uint32Array(BUCKETS);
  private readonly eras: number[] = [];

  note(key: string, shard: number): Note {
    const bucket = bucketOf(key);
    return { bucket, epoch: this.counters[bucket]!, shard, era: this.eraOf(shard) };
  }

  isCurrent(note: Note): boolean {
    return this.counters[note.bucket] === note.epoch && this.eraOf(note.shard) === note.era;
  }

  eraOf(shard: number): number {
    return this.eras[shard] ?? 0;
  }

  bump(key: string): void {
    this.counters[bucketOf(key)]!++;
  }

  /** Everything of a shard. */
  bumpShard(shard: number): void {
    this.eras[shard] = this.eraOf(shard) + 1;
  }
}

/** FNV-1a over UTF-16 units. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}
