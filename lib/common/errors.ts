/**
 * Every error of this package. Match on `code`, which is stable; `instanceof` fails across two installed copies,
 * so {@link isCacheError} looks at a brand that copies share.
 */

const BRAND = Symbol.for('nestjs-redis-cache.error');

export type CacheErrorCode =
  /** An option of the module, a decorator or a call is wrong, and nothing was run; or what a function of theirs has given. */
  | 'ERR_CACHE_OPTIONS'
  /** A key cannot be used: empty, or of a type that has no injective encoding. */
  | 'ERR_CACHE_KEY'
  /** A value cannot be written as bytes, or is larger than `maxValueBytes`. */
  | 'ERR_CACHE_SERIALIZATION'
  /** Redis cannot be reached, or refuses the command. */
  | 'ERR_CACHE_CONNECTION'
  /** Redis did not answer in time, or a loader or a wait took longer than allowed. */
  | 'ERR_CACHE_TIMEOUT'
  /** An evict has not reached Redis; it is retried, and bypassed in this process until it has. */
  | 'ERR_CACHE_EVICT'
  /** A loader asked for the very key that it is loading. */
  | 'ERR_CACHE_NESTED_LOAD'
  /** Something that is to be counted holds no integer; it is unchanged. */
  | 'ERR_CACHE_NOT_A_NUMBER'
  /** A sum would be beyond the integers that a number holds exactly; the counter is unchanged. */
  | 'ERR_CACHE_OVERFLOW'
  /** A write of this key (`withWrite`, `writeThrough`) is in progress; nothing was counted. */
  | 'ERR_CACHE_BARRED'
  /** Of a write (`withWrite`, `writeThrough`) that is done and whose keys are evicted: its barrier had gone before it was over. */
  | 'ERR_CACHE_BARRIER_LOST'
  /** A lock was held by others for longer than the caller wanted to wait. */
  | 'ERR_CACHE_LOCK_TIMEOUT'
  /** A lock that was held is not any more, and was not given back. */
  | 'ERR_CACHE_LOCK_LOST'
  /** A batch of queued writes has failed; it is tried again. */
  | 'ERR_CACHE_WRITE_BEHIND'
  /** A queue of writes has no room for another key. */
  | 'ERR_CACHE_QUEUE_FULL'
  /** The cache has been closed. */
  | 'ERR_CACHE_CLOSED';

export interface CacheErrorDetails {
  cause?: unknown;
  /** The key as the caller gave it, where one key is concerned. */
  key?: unknown;
}

export class CacheError extends Error {
  readonly code: CacheErrorCode;
  readonly key?: unknown;

  constructor(code: CacheErrorCode, message: string, details: CacheErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    if ('key' in details) this.key = details.key;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** True for every error of this package, also when it comes from another installed copy of it. */
export function isCacheError(error: unknown): error is CacheError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

/** A call that comes when the cache has been closed; `what`: what is not done. */
export const closedError = (what: string, details?: CacheErrorDetails): CacheError =>
  new CacheError('ERR_CACHE_CLOSED', `The cache is closed: ${what}`, details);

/** One wrong field of an options object. */
export interface OptionProblem {
  /** Where: `topology.shards[1].url`. */
  path: string;
  /** What was given, shortened and with secrets removed. */
  given: string;
  /** What is accepted there. */
  accepted: string;
}

/** Wrong options; `problems` has every wrong field, not only the first. */
export class CacheOptionsError extends CacheError {
  readonly problems: readonly OptionProblem[];

  constructor(where: string, problems: readonly OptionProblem[]) {
    const lines = problems.map((p) => `  ${p.path}: given ${p.given}, accepted ${p.accepted}`);
    super('ERR_CACHE_OPTIONS', `Wrong options for ${where}:\n${lines.join('\n')}`);
    this.problems = problems;
  }
}

export class CacheKeyError extends CacheError {
  constructor(message: string, details?: CacheErrorDetails) {
    super('ERR_CACHE_KEY', message, details);
  }
}

export class CacheSerializationError extends CacheError {
  /** True: the value is larger than `maxValueBytes`. */
  readonly tooLarge: boolean;

  constructor(message: string, details?: CacheErrorDetails & { tooLarge?: boolean }) {
    super('ERR_CACHE_SERIALIZATION', message, details);
    this.tooLarge = details?.tooLarge ?? false;
  }
}

export class CacheConnectionError extends CacheError {
  constructor(message: string, details?: CacheErrorDetails) {
    super('ERR_CACHE_CONNECTION', message, details);
  }
}

/** One key of a call for several that has failed. */
export interface FailedKey {
  /** As the caller gave it. */
  readonly key: unknown;
  readonly cause: unknown;
}

/** Of a call for several keys, some have failed; the others have been carried out. */
export class CacheBatchError extends CacheConnectionError {
  /** In the order given. */
  readonly failed: readonly FailedKey[];
  /** The keys that have not failed, in the order given. */
  readonly succeeded: readonly unknown[];

  /** `causes`: by the index of the key. */
  constructor(operation: string, keys: readonly unknown[], causes: ReadonlyMap<number, unknown>) {
    const failed = keys.flatMap((key, i) => (causes.has(i) ? [{ key, cause: causes.get(i) }] : []));
    const { cause } = failed[0] ?? {};
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${operation} failed for ${failed.length} of ${keys.length} keys; the first: ${reason}`, {
      cause,
    });
    this.failed = failed;
    this.succeeded = keys.filter((_, i) => !causes.has(i));
  }
}

export class CacheTimeoutError extends CacheError {
  constructor(message: string, details?: CacheErrorDetails) {
    super('ERR_CACHE_TIMEOUT', message, details);
  }
}

/** What an evict was for: `evict` and writes evict keys, `evictTags` tags, `evictPattern` a pattern, `clear` a namespace. */
export type EvictKind = 'keys' | 'tags' | 'pattern' | 'namespace';

/** Something is not evicted yet. It is retried, and bypassed in this process until it is. */
export class CacheEvictError extends CacheError {
  readonly kind: EvictKind;
  /** Of the `kind`: the keys or tags as the caller gave them, in the order given; the pattern; the path of the namespace. */
  readonly failed: readonly unknown[];
  /** What the transaction of `withWrite`, or the writer of `writeThrough`, has returned: it has been committed. */
  readonly result?: unknown;

  /** `kind`: default `keys`. */
  constructor(
    failed: readonly unknown[],
    details?: CacheErrorDetails & { kind?: EvictKind; result?: unknown },
  ) {
    const kind = details?.kind ?? 'keys';
    const bypassed = kind === 'keys' ? 'it' : 'its namespace';
    super(
      'ERR_CACHE_EVICT',
      `${NOT_YET[kind](failed.length)}; the evict is retried, and this process bypasses the cache for ${bypassed} until then`,
      details,
    );
    this.kind = kind;
    this.failed = failed;
    if (details && 'result' in details) this.result = details.result;
  }
}

/** Without what is in `failed`: that may be anything a user typed. */
const NOT_YET: Record<EvictKind, (count: number) => string> = {
  keys: (count) => `${count === 1 ? 'One key is' : `${count} keys are`} not evicted yet`,
  tags: (count) => `${count === 1 ? 'One tag is' : `${count} tags are`} not evicted yet`,
  pattern: () => 'What matches the pattern is not evicted yet, or not all of it',
  namespace: () => 'The namespace is not cleared yet',
};

/** A lock was held by others until the caller's `wait` was over; nothing is held. */
export class LockTimeoutError extends CacheError {
  constructor(message: string, details?: CacheErrorDetails) {
    super('ERR_CACHE_LOCK_TIMEOUT', message, details);
  }
}

/** The reason of a lock's `signal`: somebody else may hold it from now on. */
export class LockLostError extends CacheError {
  constructor(message: string, details?: CacheErrorDetails) {
    super('ERR_CACHE_LOCK_LOST', message, details);
  }
}
