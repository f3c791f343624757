import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, TimerHandle } from '../common/clock.js';

interface Stored {
  /** Never written to after it is here: a change puts another buffer in its place. */
  bytes: Buffer;
  /** On the monotonic clock; Infinity: does not expire. */
  expiresAt: number;
}

/** Keys that a scan looks at before the event loop turns: far less than a millisecond of work. */
const SCAN_KEYS = 500;
const SWEEP_EVERY_MS = 1_000;
/** About a millisecond of work. */
const SWEEP_KEYS = 10_000;
/** Beyond it the key that was put there first goes, whatever it holds: to lose one is never wrong, only slower. */
const MOST_KEYS = 100_000;

/**
 * Bytes that expire, as Redis keeps them, bounded by number.
 *
 * Keys expire by the monotonic clock, so that setting the machine's clock neither drops nor prolongs them. A dead key goes
 * when it is touched, or by the sweep, which looks at 10 000 keys a second.
 */
export class ExpiringTable {
  private readonly entries = new Map<string, Stored>();
  private sweepTimer: TimerHandle | undefined;
  private sweepAt: Iterator<[string, Stored]> | undefined;

  constructor(private readonly clock: Clock) {}

  get(key: string): Buffer | undefined {
    const stored = this.entries.get(key);
    if (!stored) return undefined;
    if (stored.expiresAt > this.clock.monotonic()) return stored.bytes;
    this.entries.delete(key);
    return undefined;
  }

  /** What is left of a key that is there, in ms; Infinity: it does not expire. */
  ttlOf(key: string): number {
    return Math.ceil(this.entries.get(key)!.expiresAt - this.clock.monotonic());
  }

  /** `ttlMs` 0: for ever. */
  put(key: string, bytes: Buffer, ttlMs: number): void {
    const expiresAt = ttlMs > 0 ? this.clock.monotonic() + ttlMs : Infinity;
    this.entries.delete(key);
    this.entries.set(key, { bytes, expiresAt });
    if (this.entries.size > MOST_KEYS) this.entries.delete(this.entries.keys().next().value!);
    this.scheduleSweep();
  }

  /** Other bytes for the rest of the life of a key that is there. */
  replace(key: string, bytes: Buffer): void {
    this.entries.get(key)!.bytes = bytes;
  }

  /** Until `ms` from now, unless it lives longer anyway; one that would never expire does from now on. */
  prolong(key: string, ms: number): void {
    const leftMs = this.ttlOf(key);
    this.expire(key, leftMs === Infinity ? ms : Math.max(leftMs, ms));
  }

  /** A key that is there lives `ms` from now. */
  expire(key: string, ms: number): void {
    this.entries.get(key)!.expiresAt = this.clock.monotonic() + ms;
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  /** Keys that begin with `prefix`, some hundred at a time; rejects with the signal's reason once that aborts. */
  async *scan(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<readonly string[]> {
    signal?.throwIfAborted();
    // A copy: an iterator would meet a key anew each time that it is put.
    const keys = [...this.entries.keys()];
    for (let at = 0; at < keys.length; at += SCAN_KEYS) {
      const found = keys
        .slice(at, at + SCAN_KEYS)
        .filter((key) => key.startsWith(prefix) && this.get(key));
      if (found.length > 0) yield found;
      await nextTurn();
      signal?.throwIfAborted();
    }
  }

  /** Forgets everything and stops the sweep. */
  close(): void {
    this.entries.clear();
    if (this.sweepTimer !== undefined) this.clock.clearTimer(this.sweepTimer);
    this.sweepTimer = undefined;
  }

  private scheduleSweep(): void {
    this.sweepTimer ??= this.clock.setTimer(SWEEP_EVERY_MS, () => {
      this.sweepTimer = undefined;
      this.sweep();
      if (this.entries.size > 0) this.scheduleSweep();
    });
  }

  /** Goes on where the last one stopped: a Map's iterator follows its changes. */
  private sweep(): void {
    const now = this.clock.monotonic();
    this.sweepAt ??= this.entries.entries();
    for (let i = 0; i < SWEEP_KEYS; i++) {
      const next = this.sweepAt.next();
      if (next.done) {
        this.sweepAt = undefined;
        return;
      }
      const [key, stored] = next.value;
      if (stored.expiresAt <= now) this.entries.delete(key);
    }
  }
}
