import { closedError } from '../common/errors.js';
import type { TimerHandle } from '../common/clock.js';
import { portionsOf } from '../common/portions.js';
import type { EntryKey } from '../keys/key-space.js';
import { pathOf } from '../tags/table-key.js';
import type { Flights } from './flights.js';
import type { CacheParts } from './parts.js';

/** An evict that has to be done again. */
export interface PendingEvict {
  /** Two with the same name are one. */
  readonly name: string;
  /** What must not be read meanwhile: one key, or all of a namespace. */
  readonly blocks: { readonly redisKey: string } | { readonly path: string };
  /** Rejects while Redis cannot be reached. */
  run(): Promise<unknown>;
}

interface JournalState {
  readonly flights: Flights;
  /** Makes a whole namespace outdated. */
  readonly clear: (path: string) => Promise<unknown>;
}

/** Beyond so many, an evict becomes a clear of its namespace, which takes more than was asked for and never less. */
const MOST_PENDING = 10_000;
const RETRY_MS = { first: 50, longest: 1_000 };
/** Tried at a time, so that a long journal does not swamp a Redis that has just come back. */
const BATCH = 64;

/**
 * The evicts that have not reached Redis. They are retried until they do, and until then this process bypasses what they
 * concern. It lives in this process only: the evict has rejected, or was reported, because others do not know of it.
 */
export class EvictJournal {
  private readonly pending = new Map<string, PendingEvict>();
  private readonly keys = new Set<string>();
  /** How many pending evicts concern each namespace as a whole. */
  private readonly paths = new Map<string, number>();
  private timer: TimerHandle;
  private scheduled = false;
  private closing = false;
  private closed = false;
  /** Evicts that have not ended. */
  private readonly running = new Set<Promise<unknown>>();
  private waitMs = RETRY_MS.first;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: JournalState,
  ) {}

  /** Reads of this key must not trust Redis. */
  blocks(redisKey: string): boolean {
    if (this.pending.size === 0) return false;
    return this.keys.has(redisKey) || this.paths.has(pathOf(redisKey));
  }

  addKey({ redisKey }: EntryKey): void {
    const run = (): Promise<unknown> => this.parts.store.evict(redisKey);
    this.add({ name: `key ${redisKey}`, blocks: { redisKey }, run });
  }

  add(given: PendingEvict): void {
    const evict = this.pending.size < MOST_PENDING ? given : this.wider(given);
    if (!this.pending.has(evict.name)) this.count(evict, 1);
    this.pending.set(evict.name, evict);
    // What they load may be older than the evict. Those of a key its evictor has seen to.
    if ('path' in evict.blocks) this.state.flights.doomWithin(evict.blocks.path);
    this.schedule();
  }

  private wider(evict: PendingEvict): PendingEvict {
    if (this.pending.has(evict.name)) return evict;
    const { blocks } = evict;
    const path = 'path' in blocks ? blocks.path : pathOf(blocks.redisKey);
    this.parts.reporter.warn(
      'evict-journal',
      `more than ${MOST_PENDING} evicts have not reached Redis: further ones will clear the whole namespace`,
    );
    return { name: `clear ${path}`, blocks: { path }, run: () => this.state.clear(path) };
  }

  get size(): number {
    return this.pending.size;
  }

  /** Runs what evicts, `key` where it is one; it is waited for when the cache closes. Throws `CacheError` from then on. */
  run<T>(key: unknown, evict: () => Promise<T>): Promise<T> {
    if (this.closing) throw closedError('nothing can be evicted', { key });
    const running = evict();
    this.running.add(running);
    const over = (): unknown => this.running.delete(running);
    running.then(over, over);
    return running;
  }

  /** From here on nothing is evicted; false: it was so before. */
  refuse(): boolean {
    if (this.closing) return false;
    return (this.closing = true);
  }

  /** Waits for evicts that run, tries everything once more and stops; gives how many are left. */
  async close(): Promise<number> {
    await Promise.allSettled(this.running);
    this.stop();
    await this.retry();
    return this.pending.size;
  }

  /** Nothing is tried again by itself. */
  stop(): void {
    this.closed = true;
    this.parts.clock.clearTimer(this.timer);
  }

  private count({ blocks }: PendingEvict, by: 1 | -1): void {
    if ('redisKey' in blocks) {
      if (by > 0) this.keys.add(blocks.redisKey);
      else this.keys.delete(blocks.redisKey);
      return;
    }
    const left = (this.paths.get(blocks.path) ?? 0) + by;
    if (left > 0) this.paths.set(blocks.path, left);
    else this.paths.delete(blocks.path);
  }

  private schedule(): void {
    if (this.scheduled || this.closed) return;
    this.scheduled = true;
    this.timer = this.parts.clock.setTimer(this.waitMs, () => {
      void this.retry().then(() => {
        this.scheduled = false;
        if (this.pending.size > 0) this.schedule();
      });
    });
  }

  private async retry(): Promise<void> {
    for (const evicts of portionsOf([...this.pending.values()], BATCH)) {
      const done = await Promise.all(evicts.map((evict) => this.tryOnce(evict)));
      if (!done.includes(true)) {
        this.waitMs = Math.min(this.waitMs * 2, RETRY_MS.longest);
        return;
      }
      this.waitMs = RETRY_MS.first;
    }
  }

  private async tryOnce(evict: PendingEvict): Promise<boolean> {
    try {
      await evict.run();
      // Another one of that name may have failed meanwhile.
      if (this.pending.get(evict.name) === evict) {
        this.pending.delete(evict.name);
        this.count(evict, -1);
      }
      return true;
    } catch {
      return false;
    }
  }
}
