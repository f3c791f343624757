import { inTurns } from '../../common/async.js';
import { CacheError, CacheEvictError } from '../../common/errors.js';
import type { TimerHandle } from '../../common/clock.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { StoredBody } from '../../store/entry-store.js';
import { goOnWithout } from '../failure.js';
import type { EvictJournal } from '../evict-journal.js';
import type { CacheParts } from '../parts.js';
import type { Evictor } from './evictor.js';

/** A barrier outlives a process that dies while it writes by this; a longer transaction renews it. */
const BARRIER_MS = 30_000;

/** What a writer leaves at a key, to be stored if it was the only one. */
export type Left = Omit<StoredBody, 'newId'>;

/** By Redis key; the others are left absent. */
type Leaves = ReadonlyMap<string, Left>;

const NOTHING_LEFT: Leaves = new Map();

/** A write and what becomes of its result. */
export interface BarredWrite<T> {
  /** In reports. */
  readonly operation: string;
  readonly write: () => Promise<T>;
  readonly leave: (result: T) => Promise<Leaves> | Leaves;
}

/** A write from BEGIN to END. */
interface Running {
  readonly operation: string;
  readonly keys: readonly EntryKey[];
  /** Those whose barrier was put up. */
  readonly begun: ReadonlySet<EntryKey>;
  /** Its id. */
  readonly writer: string;
}

/**
 * Holds readers off while something is written elsewhere. While the barrier stands nothing is cached under its keys, and
 * the value that was there is gone; so a load that read before the commit stores nothing, and a process that dies
 * between commit and evict leaves a barrier that expires by itself. This is the Q lease of the IQ framework
 * (Ghandeharizadeh, Yap, Nguyen: "Strong consistency in cache augmented SQL systems", Middleware 2014).
 */
export class WriteBarrier {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { readonly evictor: Evictor; readonly journal: EvictJournal },
  ) {}

  /** Runs a transaction behind a barrier on every key; its keys are absent afterwards. */
  withWrite<T>(keys: readonly EntryKey[], transaction: () => Promise<T>): Promise<T> {
    return this.around(keys, {
      operation: 'withWrite',
      write: transaction,
      leave: () => NOTHING_LEFT,
    });
  }

  /** A write that fails leaves its keys absent, never the old value, and its error is passed on. */
  async around<T>(keys: readonly EntryKey[], barred: BarredWrite<T>): Promise<T> {
    return this.state.journal.run(keys[0]?.given, () => this.run(keys, barred));
  }

  private async run<T>(
    keys: readonly EntryKey[],
    { operation, write, leave }: BarredWrite<T>,
  ): Promise<T> {
    const running = await this.begin(keys, operation);
    const renewal = new Renewal(this.parts, running);
    let result: T;
    let leaves: Leaves;
    try {
      result = await write();
      leaves = await leave(result);
    } catch (error) {
      await this.end(running, NOTHING_LEFT).catch(() => undefined);
      throw error;
    } finally {
      renewal.stop();
    }
    try {
      await this.end(running, leaves);
    } catch (error) {
      const { failed, cause } = error as CacheEvictError;
      if (this.parts.settings.evictFailure.calls === 'throw')
        throw new CacheEvictError(failed, { cause, result });
    }
    return result;
  }

  /**
   * Puts the barriers up, in one order whatever the caller's: they do not wait for each other, and so one of two writers of the
   * same keys is the first at each of them. Without Redis the write goes on (`open`), and its keys are evicted at its end.
   */
  private async begin(keys: readonly EntryKey[], operation: string): Promise<Running> {
    const { store, settings, ids, meter } = this.parts;
    const { evictor } = this.state;
    const writer = ids.next();
    const begun = new Set<EntryKey>();
    const running = { operation, keys, begun, writer };
    const sorted = keys.toSorted((a, b) => (a.redisKey < b.redisKey ? -1 : 1));
    const results = await inTurns(sorted, async (key) => {
      evictor.outdate(key);
      await store.barrierBegin(key.redisKey, { writer, barrierMs: BARRIER_MS });
      evictor.outdate(key);
      begun.add(key);
    });
    const failures = results.filter((result) => result.status === 'rejected');
    const [failure] = failures;
    if (!failure) return running;
    if (settings.failure === 'strict') await this.end(running, NOTHING_LEFT).catch(() => undefined);
    const answer = { operation, returning: 'the write, its keys evicted at its end' };
    goOnWithout(this.parts, answer, failure.reason);
    meter.count('degraded', failures.length);
    return running;
  }

  /** Where END does not get through the key is evicted instead, which is retried; rejects with `CacheEvictError`. */
  private async end({ operation, keys, begun, writer }: Running, leaves: Leaves): Promise<void> {
    const { store, ids, feed, meter } = this.parts;
    const { evictor } = this.state;
    const ended: Record<'set' | 'evict', EntryKey[]> = { set: [], evict: [] };
    const lost: EntryKey[] = [];
    const unended = new Set<EntryKey>();
    await inTurns(keys, async (key) => {
      // A BEGIN that was given up may be carried out only now, in time for END and too late for an evict in between.
      const body = begun.has(key) ? leaves.get(key.redisKey) : undefined;
      const value = body && { newId: ids.next(), ...body };
      try {
        const end = await store.barrierEnd(key.redisKey, { writer, value });
        ended[end === 'stored' ? 'set' : 'evict'].push(key);
        if (end === 'lost' && begun.has(key)) lost.push(key);
        if (value) meter.set(key, operation, end === 'stored');
      } catch {
        unended.add(key);
      }
      // A load that began in between without Redis may have read what was there before the commit.
      evictor.outdate(key);
    });
    for (const reason of ['set', 'evict'] as const) feed.own({ reason, keys: ended[reason] });
    if (lost.length > 0) this.tellOfLost(operation, lost);
    if (unended.size === 0) return;
    const inOrder = keys.filter((key) => unended.has(key));
    await evictor.evict(inOrder, 'throw');
  }

  /** No error of the write, which is done, and nothing outdated is served from here on; but the barrier has not held until then. */
  private tellOfLost(operation: string, lost: readonly EntryKey[]): void {
    const [{ given }, ...more] = lost as [EntryKey, ...EntryKey[]];
    const what = more.length > 0 ? `barriers of ${lost.length} keys were` : 'barrier of a key was';
    const text = `The ${what} gone before the write was over: lost or evicted by Redis, or not renewed for ${BARRIER_MS / 1_000} s. What was cached meanwhile is evicted`;
    const details = more.length > 0 ? {} : { key: given };
    const error = new CacheError('ERR_CACHE_BARRIER_LOST', text, details);
    this.parts.reporter.report(operation, 'what the write gave, its keys evicted', error);
  }
}

/** Keeps barriers standing for as long as their write runs. One timer per running write. */
class Renewal {
  private timer: TimerHandle;

  constructor(
    private readonly parts: CacheParts,
    private readonly running: Running,
  ) {
    this.schedule();
  }

  stop(): void {
    this.parts.clock.clearTimer(this.timer);
  }

  private schedule(): void {
    const { clock, store } = this.parts;
    const { begun, writer } = this.running;
    this.timer = clock.setTimer(BARRIER_MS / 3, () => {
      // END finds out whether the barriers still stand.
      void inTurns([...begun], async ({ redisKey }) =>
        store.barrierRenew(redisKey, { writer, barrierMs: BARRIER_MS }),
      );
      this.schedule();
    });
  }
}
