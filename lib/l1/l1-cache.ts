import { LRUCache } from 'lru-cache';
import type { Clock } from '../common/clock.js';
import { Epochs, type Note } from './epochs.js';

export interface L1Options {
  maxEntries: number;
  /** Of keys and values as they are stored; undefined: no bound. */
  maxBytes?: number;
  /** No copy is kept longer, however long the entry lives; Infinity: as long as the entry. */
  ttlMs: number;
  clock: Clock;
}

interface Copy<T> {
  readonly value: T;
  /** Monotonic ms. */
  readonly until: number;
}

/**
 * Copies of entries in this process. A copy is kept only if no invalidation came between the sending of the read and its
 * reply, and handed out only while the listener is certainly live; else it is as if there were none. Bounded by entries
 * and by bytes, the least recently used going first.
 */
export class L1Cache<T extends {}> {
  private readonly copies: LRUCache<string, Copy<T>>;
  private readonly epochs = new Epochs();
  private live = false;

  constructor(private readonly options: L1Options) {
    const { maxEntries, maxBytes } = options;
    this.copies = new LRUCache(
      maxBytes === undefined ? { max: maxEntries } : { max: maxEntries, maxSize: maxBytes },
    );
  }

  get(key: string): T | undefined {
    if (!this.live) return undefined;
    const copy = this.copies.get(key);
    if (copy === undefined) return undefined;
    if (copy.until > this.options.clock.monotonic()) return copy.value;
    this.copies.delete(key);
    return undefined;
  }

  /** Must be taken before the command is sent whose reply is to be kept. */
  note(key: string): Note {
    return this.epochs.note(key);
  }

  put(key: string, value: T, copy: { note: Note; freshMs: number; bytes: number }): void {
    if (!this.live || !this.epochs.isCurrent(copy.note)) return;
    const { clock, ttlMs, maxBytes } = this.options;
    const until = clock.monotonic() + Math.min(copy.freshMs, ttlMs);
    const size = key.length + copy.bytes;
    this.copies.set(key, { value, until }, maxBytes === undefined ? undefined : { size });
  }

  /** The entry has changed, or is about to. */
  drop(key: string): void {
    this.epochs.bump(key);
    this.copies.delete(key);
  }

  /** Anything may have changed. */
  clear(): void {
    this.epochs.bumpAll();
    this.copies.clear();
  }

  /** Messages arrive again: whatever was missed until now, nothing of it may be kept. */
  open(): void {
    this.clear();
    this.live = true;
  }

  /** Messages may be lost from now on. */
  shut(): void {
    this.live = false;
    this.clear();
  }

  get size(): number {
    return this.copies.size;
  }
}
