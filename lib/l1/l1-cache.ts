import { LRUCache } from 'lru-cache';
import type { Clock } from '../common/clock.js';
import type { Shortcut } from '../common/shortcut.js';
import { Epochs, type Note } from './epochs.js';

export interface L1Options {
  maxEntries: number;
  /** Of keys and values as they are stored; undefined: no bound. */
  maxBytes?: number;
  /** No copy is kept longer, however long the entry lives; Infinity: as long as the entry. */
  ttlMs: number;
  clock: Clock;
  /** Which shard's messages tell of this key; 0 where there is one. */
  shardOf: (key: string) => number;
  /** A copy has gone for want of room. */
  onFull?: () => void;
}

interface Copy<T> {
  readonly value: T;
  /** Monotonic ms. */
  readonly until: number;
  readonly shard: number;
  readonly era: number;
  shortcut: Shortcut | undefined;
  /** By which use it came to be the one used last. */
  movedAt: number;
}

/** After so few uses, as a share of all copies, one is not moved again: to move it takes as long as the rest of a hit. */
const UNMOVED = 1 / 64;

/**
 * For so long after a look at the clock, and for so many hits, copies that live for longer than that ahead need none: it takes a
 * quarter of a hit. What lies between the two times is what a timer may be late by.
 */
const NO_LOOK = { forMs: 1_000, aheadMs: 10_000, hits: 1_024 };

/**
 * Copies of entries in this process. A copy is kept only if no invalidation came between the sending of the read and its
 * reply, and handed out only while the listener of its shard is certainly live; else it is as if there were none. Bounded
 * by entries and by bytes, the least recently used going first.
 */
export class L1Cache<T extends {}> {
  private readonly copies: LRUCache<string, Copy<T>>;
  private readonly epochs = new Epochs();
  /** By shard. */
  private readonly live: boolean[] = [];
  /** So many have been put here or given. */
  private uses = 0;
  /** Copies that live until later are given without a look at the clock; monotonic ms. */
  private doubtedUntil = Infinity;

  constructor(private readonly options: L1Options) {
    const { maxEntries, maxBytes = Number.MAX_SAFE_INTEGER, onFull } = options;
    this.copies = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      dispose: ({ shortcut }, _, reason) => {
        if (shortcut) shortcut.copy = undefined;
        if (reason === 'evict') onFull?.();
      },
    });
  }

  get(key: string, shortcut?: Shortcut): T | undefined {
    const copy = (shortcut?.copy as Copy<T> | undefined) ?? this.find(key, shortcut);
    if (copy === undefined) return undefined;
    const { shard, era, until, value } = copy;
    const isCurrent = era === this.epochs.eraOf(shard);
    const isDoubted = until <= this.doubtedUntil || this.uses % NO_LOOK.hits === 0;
    if (!isCurrent || (isDoubted && until <= this.lookAtClock())) {
      this.copies.delete(key);
      return undefined;
    }
    this.use(key, copy);
    return value;
  }

  private lookAtClock(): number {
    const { clock } = this.options;
    const now = clock.monotonic();
    // Also where the timer is late, or lost: code that only hits never lets it run.
    if (
      this.doubtedUntil === Infinity ||
      now >= this.doubtedUntil - NO_LOOK.aheadMs + NO_LOOK.forMs
    ) {
      this.doubtedUntil = now + NO_LOOK.aheadMs;
      clock.setTimer(NO_LOOK.forMs, () => (this.doubtedUntil = Infinity));
    }
    return now;
  }

  private find(key: string, shortcut: Shortcut | undefined): Copy<T> | undefined {
    const copy = this.copies.peek(key);
    if (!copy || !shortcut) return copy;
    if (copy.shortcut) copy.shortcut.copy = undefined;
    copy.shortcut = shortcut;
    shortcut.copy = copy;
    return copy;
  }

  /** The one that was used last is where it belongs, and one of the last is nearly so. */
  private use(key: string, copy: Copy<T>): void {
    const since = ++this.uses - copy.movedAt;
    if (since > 1) {
      if (since <= this.copies.size * UNMOVED) return;
      this.copies.get(key);
    }
    copy.movedAt = this.uses;
  }

  /** Must be taken before the command is sent whose reply is to be kept. */
  note(key: string): Note {
    return this.epochs.note(key, this.options.shardOf(key));
  }

  put(key: string, value: T, copy: { note: Note; freshMs: number; bytes: number }): void {
    const { note, freshMs, bytes } = copy;
    if (!this.live[note.shard] || !this.epochs.isCurrent(note)) return;
    const { clock, ttlMs } = this.options;
    const until = clock.monotonic() + Math.min(freshMs, ttlMs);
    const size = key.length + bytes;
    const { shard, era } = note;
    const movedAt = ++this.uses;
    this.copies.set(key, { value, until, shard, era, shortcut: undefined, movedAt }, { size });
  }

  /** The entry has changed, or is about to. */
  drop(key: string): void {
    this.epochs.bump(key);
    this.copies.delete(key);
  }

  /** Anything of a shard may have changed. Its copies go when they are asked for, or when there is no room. */
  clear(shard: number): void {
    this.epochs.bumpShard(shard);
  }

  /** Messages of a shard arrive again: whatever was missed until now, nothing of it may be kept. */
  open(shard: number): void {
    this.clear(shard);
    this.live[shard] = true;
  }

  /** Messages of a shard may be lost from now on: its copies are gone, and none is kept until they arrive. */
  shut(shard: number): void {
    this.live[shard] = false;
    this.clear(shard);
  }

  get size(): number {
    return this.copies.size;
  }

  /** Of keys and values as they are stored. */
  get bytes(): number {
    return this.copies.calculatedSize;
  }
}
