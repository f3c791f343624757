/** What was true of a key before a read of it was sent; see {@link Epochs}. */
export interface Note {
  readonly bucket: number;
  readonly epoch: number;
  readonly everything: number;
}

/** Two keys in one bucket only cost a copy that is not kept. */
const BUCKETS = 65_536;

/**
 * Counts invalidations, so that a reply that an invalidation has overtaken is recognised: a copy may be kept only if nothing
 * was counted between the read's sending and its reply. A fixed table, since a counter per key would grow for ever.
 */
export class Epochs {
  private readonly counters = new Uint32Array(BUCKETS);
  private everything = 0;

  note(key: string): Note {
    const bucket = bucketOf(key);
    return { bucket, epoch: this.counters[bucket]!, everything: this.everything };
  }

  isCurrent(note: Note): boolean {
    return this.counters[note.bucket] === note.epoch && this.everything === note.everything;
  }

  bump(key: string): void {
    this.counters[bucketOf(key)]!++;
  }

  bumpAll(): void {
    this.everything++;
  }
}

/** FNV-1a over UTF-16 units. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}
