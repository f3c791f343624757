import type { CacheSettings } from '../cache/settings.js';
import type { CodecOptions } from '../codec/codec.js';
import type { CacheErrorEvent } from '../observe/reporter.js';
import type { TopologyOptions } from '../redis/topology.options.js';

/**
 * The options of one cache after they have been checked: every default filled in, every duration in ms, frozen.
 * What users write is `RedisCacheOptions`; `resolveOptions` makes one out of the other.
 */
export interface ResolvedCacheOptions extends CacheSettings, CodecOptions {
  readonly topology: Readonly<TopologyOptions>;
  /** False: no copies in this process. */
  readonly l1:
    false | { readonly maxEntries: number; readonly maxBytes?: number; readonly ttlMs: number };
  readonly invalidation: { readonly mode: 'pubsub' | 'tracking' };
  readonly timeouts: {
    readonly connectMs: number;
    readonly readMs: number;
    readonly writeMs: number;
  };
  readonly onError?: (event: CacheErrorEvent) => void;
}
