import { isPromiseLike } from '../common/async.js';
import { AsyncResource } from 'node:async_hooks';
import type { Clock } from '../common/clock.js';
import type { Invalidation, InvalidationReason } from '../common/invalidation.js';
import { decodeKey, type Key } from '../keys/encode-key.js';
import type { EntryKey } from '../keys/key-space.js';
import type { Reporter } from '../observe/reporter.js';
import type { InvalidationSink } from './invalidation-sink.js';

/** Entries that are outdated, told after that took effect: by `keys`, by `tags` or `all`. Frozen, and shared by all handlers. */
export interface InvalidationEvent {
  /** Keys as they were given; an array of parts as its JSON, `'["cat",7]'`, with an `n` behind a bigint. */
  readonly keys?: readonly string[];
  /** Entries with one of these tags. */
  readonly tags?: readonly string[];
  /** All entries of the namespace. */
  readonly all?: true;
  /** The module's namespace and the names of those nested in it: `'cache'`, `'cache/users'`. */
  readonly namespace: string;
  /** Whether this process has done it, through this cache. */
  readonly local: boolean;
  readonly reason: InvalidationReason;
}

/** May be asynchronous; nobody waits for it. */
export type InvalidationHandler = (event: InvalidationEvent) => unknown;

/** Something that this process has done itself. */
export type OwnChange =
  | { readonly reason: InvalidationReason; readonly keys: readonly EntryKey[] }
  | {
      readonly reason: InvalidationReason;
      readonly path: string;
      readonly tags?: readonly string[];
    };

interface FeedOptions {
  namespace: string;
  reporter: Reporter;
  clock: Clock;
  /** By then the application has started, and may have derived something from entries although nobody listens yet. */
  startMs: number;
}

type About = Pick<InvalidationEvent, 'local' | 'reason'>;

/** Events told in one turn of the event loop; where there are more, all are replaced by one that says so. */
const MOST_WAITING = 10_000;

/** Two messages about one change, over two connections, are seldom further apart. */
const SAME_CHANGE_MS = 10;

/**
 * What the application hears of invalidations. Handlers run right after the code that an event comes from, never within
 * it, and each in the async context in which it was registered. What one of them throws concerns no other.
 */
export class InvalidationFeed implements InvalidationSink {
  private readonly handlers = new Set<{ readonly call: InvalidationHandler }>();
  private waiting: InvalidationEvent[] = [];
  /** At most as many as there were copies. */
  private readonly changedKeys = new Set<string>();
  private state: 'starting' | 'open' | 'shut' = 'starting';
  private closed = false;
  private readonly madeAt: number;

  constructor(private readonly options: FeedOptions) {
    this.madeAt = options.clock.monotonic();
  }

  get live(): boolean {
    return this.state === 'open' && !this.closed;
  }

  /** The returned function takes this registration back; the same handler may be registered several times. */
  on(handler: InvalidationHandler): () => void {
    const registration = { call: AsyncResource.bind(handler) };
    if (!this.closed) this.handlers.add(registration);
    return () => void this.handlers.delete(registration);
  }

  /** What happened while nobody listened is not known. */
  open(): void {
    const { clock, startMs } = this.options;
    const missed = this.state === 'shut' || clock.monotonic() - this.madeAt > startMs;
    this.state = 'open';
    if (missed) this.distrust();
  }

  shut(): void {
    this.state = 'shut';
    this.distrust();
  }

  distrust(): void {
    this.tell(this.lost());
  }

  apply(invalidation: Invalidation): void {
    const about = { local: false, reason: invalidation.reason };
    if (!('keys' in invalidation)) return this.tellPath(invalidation, about);
    for (const key of invalidation.keys) this.changedKeys.delete(key);
    this.tellKeys(invalidation.keys, about);
  }

  /** Keys of copies that the server has told of. What processes of this cache do they tell themselves, and say more. */
  changed(keys: readonly string[]): void {
    if (this.handlers.size === 0 || keys.length === 0) return;
    if (this.changedKeys.size === 0)
      this.options.clock.setTimer(SAME_CHANGE_MS, () => this.tellChanged());
    for (const key of keys) this.changedKeys.add(key);
  }

  own(change: OwnChange): void {
    const about = { local: true, reason: change.reason };
    if ('keys' in change) this.tellKeys(change.keys, about);
    else this.tellPath(change, about);
  }

  /** Everything is gone, here and in the namespaces nested in this one. */
  flushed(): void {
    this.tellPath({ path: this.options.namespace }, { local: false, reason: 'clear' });
  }

  /** Nobody is called any more. */
  close(): void {
    this.closed = true;
    this.handlers.clear();
  }

  private tellChanged(): void {
    const keys = [...this.changedKeys];
    this.changedKeys.clear();
    this.tellKeys(keys, { local: false, reason: 'evict' });
  }

  private lost(): InvalidationEvent {
    const { namespace } = this.options;
    return { all: true, namespace, local: false, reason: 'disconnect' };
  }

  private tellPath({ path, tags }: { path: string; tags?: readonly string[] }, about: About): void {
    const what = tags ? { tags: Object.freeze([...tags]) } : { all: true as const };
    this.tell({ ...what, namespace: path, ...about });
  }

  /** One event for each namespace. A key of which only the digest is known could be any long one, so that is told as `all`. */
  private tellKeys(keys: readonly (string | EntryKey)[], about: About): void {
    if (this.handlers.size === 0) return;
    const found = new Map<string, string[] | 'unknown'>();
    for (const key of keys) {
      const { path, given } = originOf(key);
      const others = found.get(path) ?? [];
      if (given === undefined || others === 'unknown') found.set(path, 'unknown');
      else found.set(path, (others.push(textOf(given)), others));
    }
    for (const [namespace, texts] of found)
      if (texts === 'unknown') this.tellPath({ path: namespace }, about);
      else this.tell({ keys: Object.freeze(texts), namespace, ...about });
  }

  private tell(event: InvalidationEvent): void {
    if (this.handlers.size === 0) return;
    if (this.waiting.length === 0) queueMicrotask(() => this.deliver());
    if (this.waiting.length === MOST_WAITING) this.waiting = [Object.freeze(this.lost())];
    else this.waiting.push(Object.freeze(event));
  }

  private deliver(): void {
    const events = this.waiting;
    this.waiting = [];
    for (const event of events) for (const { call } of [...this.handlers]) this.call(call, event);
  }

  private call(handler: InvalidationHandler, event: InvalidationEvent): void {
    const report = (error: unknown): void =>
      this.options.reporter.report('onInvalidation', undefined, error);
    try {
      const result = handler(event);
      if (isPromiseLike(result)) result.then(undefined, report);
    } catch (error) {
      report(error);
    }
  }
}

/** The namespace and the key as it was given; that of another process's key is undefined where Redis has only its digest. */
function originOf(key: string | EntryKey): { path: string; given: Key | undefined } {
  const redisKey = typeof key === 'string' ? key : key.redisKey;
  const colon = redisKey.indexOf(':');
  const given = typeof key === 'string' ? decodeKey(redisKey.slice(colon + 1)) : key.given;
  return { path: redisKey.slice(0, Math.max(colon, 0)), given };
}

function textOf(key: Key): string {
  if (typeof key === 'string') return key;
  const parts = key.map((part) => (typeof part === 'bigint' ? `${part}n` : JSON.stringify(part)));
  return `[${parts.join()}]`;
}
