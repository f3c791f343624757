import { readRecord, type StoredRecord } from '../codec/envelope.js';
import { aSignal, assertOptions } from '../common/option-checks.js';
import { decodeKey } from '../keys/encode-key.js';
import type { Glob } from '../keys/glob.js';
import type { EntryKey, KeySpace } from '../keys/key-space.js';
import type { ScanOptions } from '../store/entry-store.js';
import { seen } from './entry.js';
import { goOnWithout } from './failure.js';
import type { CacheParts } from './parts.js';
import type { EntryFormats } from './read/entry-formats.js';
import { isStillValid } from './still-valid.js';

/** Options of a walk over all keys. */
export interface ListingOptions {
  /** Ends it, with the signal's reason. */
  signal?: AbortSignal;
}

/** Throws `CacheOptionsError`. */
export function listingSignal(
  where: string,
  options: ListingOptions | undefined,
): AbortSignal | undefined {
  assertOptions(where, options, { signal: aSignal });
  return options?.signal;
}

/** Part of a glob that is spelled in a Redis key as it is. */
const SPELLED_ALIKE = /^[!-$&-z|~]*/;

/** The string keys of a namespace, found by walking over all keys of the servers: for maintenance, not for requests. */
export class KeyListing {
  constructor(
    private readonly parts: CacheParts,
    private readonly formats: EntryFormats,
  ) {}

  /** String keys whose entries are live; one that is written meanwhile may be missing or come twice. */
  async *keys(space: KeySpace, glob: Glob, signal?: AbortSignal): AsyncGenerator<string> {
    try {
      for await (const batch of this.matching(space, glob, { signal, own: true })) {
        const live = await Promise.all(batch.map(({ record, key }) => this.isLive(record, key)));
        for (const [i, { key }] of batch.entries()) if (live[i]) yield key.given;
      }
    } catch (error) {
      if (signal?.aborted) throw error;
      goOnWithout(this.parts, { operation: 'keys', returning: 'the keys until here' }, error);
      this.parts.meter.count('degraded');
    }
  }

  /** Gives the matching entries, live or not or being loaded, to `evict`, some hundred at a time; the sum of what that gives. */
  async forEach(
    space: KeySpace,
    glob: Glob,
    { evict, signal }: { evict: (keys: EntryKey[]) => Promise<number>; signal?: AbortSignal },
  ): Promise<number> {
    let existed = 0;
    for await (const batch of this.matching(space, glob, { signal }))
      existed += await evict(batch.map(({ key }) => key));
    return existed;
  }

  /** Entries, also those whose tags have been evicted, and leases, unless only a digest is known of their keys. */
  private async *matching(space: KeySpace, glob: Glob, options: ScanOptions) {
    const prefix = SPELLED_ALIKE.exec(glob.literalPrefix)![0];
    // A digest shows nothing of its key.
    for (const begin of [`${space.path}:k${prefix}`, `${space.path}:h`])
      for await (const redisKeys of this.parts.store.scan(begin, options)) {
        const found = await this.parts.store.readMany(redisKeys);
        const batch = redisKeys.flatMap((redisKey, i) => {
          const record = found[i] && readRecord(found[i]);
          if (record?.type !== 'value' && record?.type !== 'lease') return [];
          const digestOf = record.type === 'value' ? record.header.digestOf : undefined;
          const given = decodeKey(redisKey.slice(space.path.length + 1), digestOf);
          return typeof given === 'string' && glob.matches(given)
            ? [{ record, key: { given, redisKey, digestOf } }]
            : [];
        });
        if (batch.length > 0) yield batch;
      }
  }

  private async isLive(record: StoredRecord, key: EntryKey): Promise<boolean> {
    const found = seen(record, { key, kind: 'value' }, this.parts.layout);
    if (found.state !== 'usable' || this.formats.staleMs(found.record, key) !== undefined)
      return false;
    const { c0, tags } = found.record.header;
    return isStillValid(this.parts, key, { c0, tags });
  }
}
