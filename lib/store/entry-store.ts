/**
 * The single-key lease protocol: everything the cache does to one entry in Redis.
 *
 * An entry is one key that holds a value ('V'), a lease ('L': somebody is loading) or a write barrier ('B'). A miss
 * takes the lease; FILL stores the load's result only if that very lease is still there; EVICT deletes the key and
 * with it the lease. A load that began before an evict can therefore never store what it read: that is the whole
 * argument, and it is the lease token of "Scaling Memcache at Facebook" (NSDI 2013, §3.2.1) kept at the data key itself,
 * because a script on two keys answers TRYAGAIN while a cluster slot migrates, and one on a single key does not.
 *
 * Ids are 20 characters and never repeat. A stored value keeps the id of the acquisition that wrote it, its *fill id*.
 * Every operation here is one atomic step on one key, and sending it twice does no harm; `increment` and `take` are for that
 * reason never sent twice.
 *
 * `increment`, `touch` and `take` change a value that the caller has judged: read, and compared with the tag table. They come
 * with its *facts*, all that it was judged by; what is there by then may be another value, and is as good if its facts are the
 * same. `unlike`: they are not, and the caller has to look again. A value that is only kept for its grace is absent to them.
 *
 * An implementation rejects with `CacheConnectionError` or `CacheTimeoutError` and nothing else; after either the step
 * may or may not have happened. Keys are complete Redis keys, and the bytes are those of `codec/envelope.ts`.
 */
export interface EntryStore {
  /** Reads travel, and those of one tick had better do so together; else they are answered where they are asked. */
  readonly isRemote: boolean;

  /** The bytes at the key. Reads that are asked for in one tick may travel together, none joins one already sent. */
  read(key: string): Promise<Buffer | null>;
  /** Of the server that has this key: the same for all keys that can travel together. */
  readsOf(key: string): Reads;
  /** The bytes at each key, in the order given. */
  readMany(keys: readonly string[]): Promise<(Buffer | null)[]>;
  /** The bytes at the key and what is left of its life: ms, or Infinity where it does not expire. */
  inspect(key: string): Promise<{ bytes: Buffer; ttlMs: number } | null>;

  /**
   * The keys that begin with `prefix`, literally, in batches of at most about 500, in no order; leases and barriers too. One
   * that is there all the while comes, and seldom twice; one that comes or goes meanwhile may. The event loop turns between
   * two batches. Rejects with the signal's reason once that aborts.
   */
  scan(prefix: string, options: ScanOptions): AsyncIterable<readonly string[]>;

  /** The value, the lease, or who else has it. A foreign or rejected value is replaced by the lease. */
  acquire(key: string, request: AcquireRequest): Promise<AcquireReply>;
  /** Stores a load's result if `expectId` is still at the key (the lease's token, or the fill id a refresh saw). */
  fill(key: string, request: FillRequest): Promise<boolean>;
  /** Prolongs the lease; false: it is lost. */
  renew(key: string, request: { token: string; leaseMs: number }): Promise<boolean>;
  /** Gives the lease back, wakes its waiters; with `holdMs` nobody is granted a new one for so long. */
  release(key: string, request: { token: string; holdMs: number }): Promise<boolean>;

  /** Deletes value and lease, wakes the lease's waiters, taints a barrier; true: there was a value. */
  evict(key: string): Promise<boolean>;
  /** Each as `evict` does, told to other processes in as few messages as possible. Settles for every key, in the order given. */
  evictMany(keys: readonly string[]): Promise<PromiseSettledResult<boolean>[]>;
  /** Stores a value whatever the lease; false: refused by `only`, or by an open write barrier. */
  write(key: string, request: WriteRequest): Promise<boolean>;

  /**
   * Adds to a counter; where no live value is, one begins at 0. It takes the place of a lease, and wakes its waiters: the
   * load that runs has not seen what was counted, so its result must not be stored over it. Each sum is a value of its own, so
   * a refresh that began before it is not stored either. Under a barrier nothing is counted and nothing is tainted: the caller
   * is told so, and the writer's value is still the newest.
   */
  increment(key: string, request: IncrementRequest): Promise<IncrementReply>;
  /** The value is fresh for `softMs` from now, 0: for ever; its grace comes after that. */
  touch(key: string, request: TouchRequest): Promise<'touched' | 'absent' | 'unlike'>;
  /** Deletes the value and gives it; a lease or a barrier is treated as by `evict`. */
  take(key: string, request: TakeRequest): Promise<TakeReply>;

  /** Puts up a barrier in place of value and lease; one that stands already is tainted: nothing is stored at its end. */
  barrierBegin(key: string, request: { writer: string; barrierMs: number }): Promise<void>;
  /** Prolongs the barrier; false: it is not this writer's any more. */
  barrierRenew(key: string, request: { writer: string; barrierMs: number }): Promise<boolean>;
  /** Takes this writer off its barrier, and leaves nothing at the key that is older than that. */
  barrierEnd(key: string, request: { writer: string; value?: StoredBody }): Promise<BarrierEnd>;
}

export interface ScanOptions {
  signal?: AbortSignal | undefined;
  /** Without what only processes with another list of shards would find. */
  own?: boolean;
}

export interface AcquireRequest {
  /** Id of this acquisition. */
  token: string;
  leaseMs: number;
  /** Fill id of a value that the caller has read and cannot use, or ''. */
  reject: string;
}

export type AcquireReply =
  | { state: 'granted' }
  | { state: 'value'; bytes: Buffer }
  /** Somebody else is loading, or (`backoff`) has failed to; this instance is registered and is woken when that ends. */
  | { state: 'held'; ttlMs: number; backoff?: true }
  /** Somebody is writing: load, and cache nothing. */
  | { state: 'barrier'; ttlMs: number };

/**
 * `stored`: the value is there, since nobody else wrote or evicted meanwhile. `lost`: the barrier was gone, so that something may
 * have been cached before the write was over; it is not any more.
 */
export type BarrierEnd = 'stored' | 'ended' | 'lost';

/** What is written at a key; `body` is the record from its fixed part on, and the store puts type, id and softAt in. */
export interface StoredBody {
  newId: string;
  body: Buffer;
  /** The value is fresh for so long; 0: for ever. The store turns it into `softAt` by the server's clock. */
  softMs: number;
  /** The key lives so long; 0: for ever. */
  ttlMs: number;
}

export interface FillRequest extends StoredBody {
  expectId: string;
}

export interface WriteRequest extends StoredBody {
  /** Only if no live value is there, only if one is, or always. */
  only?: 'absent' | 'present';
  /** Fill id of a value that does not count as live, or ''. */
  reject?: string;
}

export interface IncrementRequest {
  newId: string;
  /** A safe integer. */
  by: number;
  /** The life of a counter that has none yet; 0: it does not expire. */
  ttlMs: number;
  /** The facts of a counter that begins now. */
  fresh: Buffer;
  /** The value that was judged, as a counter: its count, and the facts that it has, or gets if it was no counter. */
  seen?: { id: string; count: number; facts: Buffer };
  /** Fill id of a value that does not count as live, or ''. */
  reject: string;
}

export type IncrementReply =
  | { state: 'counted'; count: number }
  /** `overflow`: the sum would be no safe integer, nothing was changed. */
  | { state: 'unlike' | 'overflow' | 'barrier' };

export interface TouchRequest {
  facts: Buffer;
  softMs: number;
}

export interface TakeRequest {
  /** Undefined: no live value was there. */
  facts?: Buffer;
  /** Fill id of a value that does not count as live, or ''. */
  reject: string;
}

export type TakeReply = { state: 'taken'; bytes: Buffer } | { state: 'absent' | 'unlike' };

/** Reads of very many keys of one server. */
export interface Reads {
  /** The bytes at each key, not to be changed, from one command. */
  readAll(keys: readonly string[]): Promise<(Buffer | null)[]>;
  /** Sends what has been asked for before the tick is over. */
  flush(): void;
}
