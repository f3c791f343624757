import type { OwnChange } from '../bus/invalidation-feed.js';
import type { Wakeups } from '../bus/wakeups.js';
import type { Codec } from '../codec/codec.js';
import type { Clock } from '../common/clock.js';
import type { IdSource } from '../common/ids.js';
import type { Invalidation } from '../common/invalidation.js';
import type { Meter } from '../observe/meter.js';
import type { Reporter } from '../observe/reporter.js';
import type { NodeInfo } from '../redis/node-survey.js';
import type { EntryStore } from '../store/entry-store.js';
import type { RawStore } from '../store/raw-store.js';
import type { TagTable } from '../tags/tag-table.js';
import type { Layout } from './entry.js';
import type { RequestMemos } from './request-memo.js';
import type { CacheSettings } from './settings.js';
import type { TagMirror } from './tag-mirror.js';
import type { Tier } from './tier.js';
import type { WriteQueues } from './write/write-queues.js';

/** The ports that every piece of the cache is given; `assemble` fills them in. */
export interface CacheParts {
  readonly store: EntryStore;
  readonly rawStore: RawStore;
  readonly tags: TagTable;
  readonly mirror: TagMirror;
  readonly codec: Codec;
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly wakeups: Wakeups;
  readonly reporter: Reporter;
  readonly meter: Meter;
  readonly settings: CacheSettings;
  readonly layout: Layout;
  /** Undefined: no copies are kept in this process. */
  readonly tier: Tier | undefined;
  /** Tells other processes of something that no entry's command tells of; nothing in memory. */
  readonly announce: (invalidation: Invalidation) => Promise<void>;
  /** Hears of every change that this process has made, once it took effect. */
  readonly feed: { own(change: OwnChange): void };
  readonly memos: RequestMemos;
  readonly queues: WriteQueues;
  /** What the clock of a key's server is ahead of ours, in ms, as far as it is known. */
  readonly serverOffsetMs: (redisKey: string) => number;
  /** Every server, asked now; never rejects. */
  readonly nodes: () => Promise<NodeInfo[]>;
}
