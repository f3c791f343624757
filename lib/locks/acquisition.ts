import { untilAborted } from '../common/async.js';
import type { TimerHandle } from '../common/clock.js';
import { LockTimeoutError } from '../common/errors.js';
import type { Grant, LockParts } from './held-lock.js';
import { wakeOf } from './lock-store.js';

export interface Wanted {
  readonly name: string;
  readonly key: string;
  readonly ttlMs: number;
  /** 'leave': ask once. */
  readonly ifHeld: 'queue' | 'leave';
  /** When the waiting ends, on the monotonic clock. */
  readonly waitUntil: number;
  /** Each ends it as well, with its reason. */
  readonly signals: readonly AbortSignal[];
}

/** A wake that never comes costs at most this. */
const FALLBACK_MS = 1_000;
/** Spreads those who wait for the same hold to expire. */
const SPREAD_MS = { least: 5, most: 30 };

/**
 * The way to one lock: asks, waits to be woken, asks again. Who gives up, for whatever reason, leaves the queue, and gives
 * back what may have been granted without our knowing.
 */
export class Acquisition {
  private readonly id: string;

  constructor(
    private readonly wanted: Wanted,
    private readonly parts: LockParts,
  ) {
    this.id = parts.ids.next();
  }

  /** Undefined: held by others, and not waited for. */
  async run(): Promise<Grant | undefined> {
    for (const signal of this.wanted.signals) signal.throwIfAborted();
    try {
      return await this.askUntilGranted();
    } catch (error) {
      this.parts.store.release(this.wanted.key, { id: this.id }).catch(() => undefined);
      throw error;
    }
  }

  private async askUntilGranted(): Promise<Grant | undefined> {
    const { id, wanted, parts } = this;
    const { name, key, ttlMs, ifHeld } = wanted;
    for (;;) {
      const expectation = parts.wakeups.expect(wakeOf(key, id));
      try {
        const askedAt = parts.clock.monotonic();
        const reply = await this.unlessAborted(parts.store.acquire(key, { id, ttlMs, ifHeld }));
        if (reply.state === 'granted') return { name, key, id, token: reply.token, ttlMs, askedAt };
        if (ifHeld === 'leave') return undefined;
        const leftMs = wanted.waitUntil - parts.clock.monotonic();
        if (leftMs <= 0)
          throw new LockTimeoutError(
            `The lock "${name}" was held by others until \`wait\` was over`,
            {
              key: name,
            },
          );
        await this.pause(Math.min(leftMs, reply.ttlMs + spread(), FALLBACK_MS), expectation.woken);
      } finally {
        expectation.cancel();
      }
    }
  }

  private async pause(ms: number, woken: Promise<void>): Promise<void> {
    const { clock } = this.parts;
    let timer: TimerHandle;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimer(ms, resolve);
    });
    try {
      await this.unlessAborted(Promise.race([woken, late]));
    } finally {
      clock.clearTimer(timer);
    }
  }

  private unlessAborted<T>(promise: Promise<T>): Promise<T> {
    return this.wanted.signals.reduce((inner, signal) => untilAborted(inner, signal), promise);
  }
}

function spread(): number {
  return SPREAD_MS.least + Math.random() * (SPREAD_MS.most - SPREAD_MS.least);
}
