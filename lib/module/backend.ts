import type { InvalidationSink } from '../bus/invalidation-sink.js';
import type { Bus } from '../bus/redis-bus.js';
import type { TrackingSink } from '../bus/tracking.js';
import type { Layout } from '../cache/entry.js';
import type { Wakeups } from '../bus/wakeups.js';
import type { Clock } from '../common/clock.js';
import type { IdSource } from '../common/ids.js';
import type { Invalidation } from '../common/invalidation.js';
import type { LockStore } from '../locks/lock-store.js';
import type { Meter } from '../observe/meter.js';
import type { Reporter } from '../observe/reporter.js';
import type { NodeInfo } from '../redis/node-survey.js';
import type { EntryStore } from '../store/entry-store.js';
import type { RawStore } from '../store/raw-store.js';
import type { TagTable } from '../tags/tag-table.js';

/** Everything that depends on where entries live. */
export interface Backend {
  readonly store: EntryStore;
  readonly rawStore: RawStore;
  readonly tags: TagTable;
  readonly lockStore: LockStore;
  readonly layout: Layout;
  /** The place of a key's shard in `buses`. */
  shardIndexOf(redisKey: string): number;
  /** One per shard; none without Redis. */
  readonly buses: readonly Bus[];
  /** Tells other processes of something that no entry's command tells of. */
  announce(invalidation: Invalidation): Promise<void>;
  /** Every server, asked now; never rejects. */
  nodes(): Promise<NodeInfo[]>;
  connect(): Promise<void>;
  close(): Promise<void>;
}

export interface BackendParts {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly wakeups: Wakeups;
  readonly reporter: Reporter;
  readonly meter: Meter;
  /** Who hears what becomes of the copies of a shard's entries; to be asked for every shard before the first one opens. */
  readonly sinks: (shard: number) => InvalidationSink & TrackingSink;
}
