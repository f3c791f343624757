import type { TimerHandle } from '../common/clock.js';
import type { EntryKey } from '../keys/key-space.js';
import type { CacheParts } from './parts.js';

/** More keys than this are not remembered one by one: from then on the whole cache is bypassed in this process. */
const MOST_KEYS = 10_000;
const RETRY_MS = { first: 50, longest: 1_000 };
/** Keys tried at a time, so that a long journal does not swamp a Redis that has just come back. */
const BATCH = 64;

/**
 * The evicts that have not reached Redis. They are retried until they do, and until then this process bypasses their
 * keys. It lives in this process only: the evict has rejected, or was reported, because others do not know of it.
 */
export class EvictJournal {
  private readonly keys = new Map<string, EntryKey>();
  private overflowed = false;
  private timer: TimerHandle;
  private scheduled = false;
  private closed = false;
  private waitMs = RETRY_MS.first;

  constructor(private readonly parts: CacheParts) {}

  /** Reads of this key must not trust Redis. */
  blocks(redisKey: string): boolean {
    return this.keys.size > 0 && (this.overflowed || this.keys.has(redisKey));
  }

  add(key: EntryKey): void {
    if (this.keys.size < MOST_KEYS) this.keys.set(key.redisKey, key);
    else if (!this.overflowed) {
      this.overflowed = true;
      this.parts.reporter.warn(
        'evict-journal',
        `more than ${MOST_KEYS} evicts have not reached Redis: this process bypasses the whole cache until they have; evicts beyond these are not retried`,
      );
    }
    this.schedule();
  }

  get size(): number {
    return this.keys.size;
  }

  /** Tries everything once more and stops; gives the keys that are left. */
  async close(): Promise<readonly EntryKey[]> {
    this.closed = true;
    this.parts.clock.clearTimer(this.timer);
    await this.retry();
    return [...this.keys.values()];
  }

  private schedule(): void {
    if (this.scheduled || this.closed) return;
    this.scheduled = true;
    this.timer = this.parts.clock.setTimer(this.waitMs, () => {
      void this.retry().then(() => {
        this.scheduled = false;
        if (this.keys.size > 0) this.schedule();
      });
    });
  }

  private async retry(): Promise<void> {
    const pending = [...this.keys.keys()];
    for (let i = 0; i < pending.length; i += BATCH) {
      const batch = pending.slice(i, i + BATCH);
      const done = await Promise.all(batch.map((key) => this.tryOnce(key)));
      if (!done.includes(true)) {
        this.waitMs = Math.min(this.waitMs * 2, RETRY_MS.longest);
        return;
      }
      this.waitMs = RETRY_MS.first;
    }
    if (this.keys.size === 0) this.overflowed = false;
  }

  private async tryOnce(redisKey: string): Promise<boolean> {
    try {
      await this.parts.store.evict(redisKey);
      this.keys.delete(redisKey);
      return true;
    } catch {
      return false;
    }
  }
}
