import { CacheEvictError } from '../../common/errors.js';
import type { TimerHandle } from '../../common/clock.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { StoredBody } from '../../store/entry-store.js';
import { goOnWithout } from '../failure.js';
import type { CacheParts } from '../parts.js';
import type { Evictor } from './evictor.js';

/** A barrier outlives a process that dies while it writes by this; a longer transaction renews it. */
const BARRIER_MS = 30_000;

/** What a writer leaves at a key, to be stored if it was the only one. */
export type Left = Omit<StoredBody, 'newId'>;

/** By Redis key; the others are left absent. */
type Leaves = ReadonlyMap<string, Left>;

/**
 * Holds readers off while something is written elsewhere. While the barrier stands nothing is cached under its keys, and
 * the value that was there is gone; so a load that read before the commit stores nothing, and a process that dies
 * between commit and evict leaves a barrier that expires by itself. This is the Q lease of the IQ framework
 * (Ghandeharizadeh, Yap, Nguyen: "Strong consistency in cache augmented SQL systems", Middleware 2014).
 */
export class WriteBarrier {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { readonly evictor: Evictor },
  ) {}

  /** Runs a transaction behind a barrier on every key; its keys are absent afterwards. */
  withWrite<T>(keys: readonly EntryKey[], transaction: () => Promise<T>): Promise<T> {
    return this.around(keys, transaction, () => new Map());
  }

  /** A write that fails leaves its keys absent, never the old value, and its error is passed on. `leave`: must not throw. */
  async around<T>(
    keys: readonly EntryKey[],
    write: () => Promise<T>,
    leave: (result: T) => Promise<Leaves> | Leaves,
  ): Promise<T> {
    const writer = this.parts.ids.next();
    const begun = await this.begin(keys, writer);
    const renewal = new Renewal(this.parts, begun, writer);
    let result: T;
    try {
      result = await write();
    } catch (error) {
      await this.end(keys, writer, undefined).catch(() => undefined);
      throw error;
    } finally {
      renewal.stop();
    }
    try {
      await this.end(keys, writer, { at: new Set(begun), leaves: await leave(result) });
    } catch (error) {
      const { failed, cause } = error as CacheEvictError;
      if (this.parts.settings.evictFailure.calls === 'throw')
        throw new CacheEvictError(failed, { cause, result });
    }
    return result;
  }

  /** The keys whose barrier stands. Without Redis the write goes on (`open`), and its keys are evicted at its end. */
  private async begin(keys: readonly EntryKey[], writer: string): Promise<EntryKey[]> {
    const { store, settings } = this.parts;
    const { evictor } = this.state;
    const begun: EntryKey[] = [];
    const results = await Promise.allSettled(
      keys.map(async (key) => {
        evictor.outdate(key);
        await store.barrierBegin(key.redisKey, { writer, barrierMs: BARRIER_MS });
        evictor.outdate(key);
        begun.push(key);
      }),
    );
    const failure = results.find((result) => result.status === 'rejected');
    if (!failure) return begun;
    if (settings.failure === 'strict')
      await this.end(keys, writer, undefined).catch(() => undefined);
    const answer = { operation: 'withWrite', returning: 'the write, its keys evicted at its end' };
    goOnWithout(this.parts, answer, failure.reason);
    return begun;
  }

  /** Where END does not get through the key is evicted instead, which is retried; rejects with `CacheEvictError`. */
  private async end(
    keys: readonly EntryKey[],
    writer: string,
    left: { at: ReadonlySet<EntryKey>; leaves: Leaves } | undefined,
  ): Promise<void> {
    const { store, ids, feed, meter } = this.parts;
    const { evictor } = this.state;
    const ended: Record<'set' | 'evict', EntryKey[]> = { set: [], evict: [] };
    const unended: EntryKey[] = [];
    await Promise.all(
      keys.map(async (key) => {
        // A BEGIN that was given up may be carried out only now, in time for END and too late for an evict in between.
        const body = left?.at.has(key) ? left.leaves.get(key.redisKey) : undefined;
        const value = body && { newId: ids.next(), ...body };
        try {
          const stored = await store.barrierEnd(key.redisKey, { writer, value });
          ended[stored ? 'set' : 'evict'].push(key);
          if (value) meter.set(key, 'writeThrough', stored);
        } catch {
          unended.push(key);
        }
        // A load that began in between without Redis may have read what was there before the commit.
        evictor.outdate(key);
      }),
    );
    for (const reason of ['set', 'evict'] as const) feed.own({ reason, keys: ended[reason] });
    if (unended.length > 0) await evictor.evict(unended, 'throw');
  }
}

/** Keeps barriers standing for as long as their write runs. One timer per running write. */
class Renewal {
  private timer: TimerHandle;

  constructor(
    private readonly parts: CacheParts,
    private readonly keys: readonly EntryKey[],
    private readonly writer: string,
  ) {
    this.schedule();
  }

  stop(): void {
    this.parts.clock.clearTimer(this.timer);
  }

  private schedule(): void {
    this.timer = this.parts.clock.setTimer(BARRIER_MS / 3, () => {
      for (const key of this.keys)
        this.parts.store
          .barrierRenew(key.redisKey, { writer: this.writer, barrierMs: BARRIER_MS })
          // The next renewal, or END, finds out whether the barrier still stands.
          .catch(() => false);
      this.schedule();
    });
  }
}
