import { AsyncResource } from 'node:async_hooks';
import { deferred } from '../../common/async.js';
import type { Clock, TimerHandle } from '../../common/clock.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { Opened } from '../entry.js';
import type { SetOptions } from '../entry.options.js';
import { MAX_BACKOFF_MS, type WriteBehindSettings } from './write-behind.options.js';

/** What waits for one key: its latest value, in the place of the first. */
export interface Slot<K> {
  readonly given: K;
  readonly entry: EntryKey;
  value: Opened;
  options: Omit<SetOptions, 'if'> | undefined;
  /** The cache has this value, as far as is known; else perhaps an older one. */
  isCached: boolean;
  /** Of the value that waits. */
  version: number;
  /** The version that the source has got, if any of this slot. */
  written: number;
  /** How often this value could not be written. */
  failures: number;
  /** When the first value came that the source has not got, in monotonic ms. */
  since: number;
}

/** What is queued about a key. */
export type Put<K> = Pick<Slot<K>, 'given' | 'entry' | 'value' | 'options' | 'isCached'>;

interface PumpEvents<K> {
  /** The source has the latest values of these keys. */
  written(slots: readonly Slot<K>[]): Promise<void>;
  /** A batch could not be written, for the first or another time. */
  failed(size: number, error: unknown): void;
  /** These will not be written. */
  dropped(slots: readonly Slot<K>[], error: unknown): Promise<void>;
}

/**
 * Hands what waits to `write`, batch after batch and never two at a time, so that no older value of a key overtakes a newer
 * one. A batch that fails stays where it is, for the next try. What has no tries left is tried once more alone, so that one bad
 * value costs no others.
 */
export class WritePump<K, V> {
  /** By Redis key, in the order in which they came; the queue bounds them. */
  readonly slots = new Map<string, Slot<K>>();
  /** In the async context in which this was made, not in that of whoever happened to put something. */
  private readonly run = AsyncResource.bind(() => void this.writeBatch());
  private timer: TimerHandle;
  /** What the timer was set to; Infinity: there is none. */
  private timerMs = Infinity;
  private writing = false;
  /** What waited has been given up, and nothing more is written. */
  stopped = false;
  private flushes = 0;
  /** Batches that have failed since the last one that did not. */
  private failures = 0;
  private moved = deferred<void>();

  constructor(
    private readonly settings: WriteBehindSettings<K, V>,
    private readonly clock: Clock,
    private readonly events: PumpEvents<K>,
  ) {}

  put(put: Put<K>): void {
    const id = put.entry.redisKey;
    const slot = this.slots.get(id);
    if (slot) Object.assign(slot, put, { version: slot.version + 1, failures: 0 });
    else {
      const since = this.clock.monotonic();
      this.slots.set(id, { ...put, version: 1, written: 0, failures: 0, since });
    }
    this.arm();
  }

  /** Does not wait for full batches. Resolves when these values, or newer ones of their keys, are written or dropped. */
  async flush(slots: readonly Slot<K>[]): Promise<void> {
    const wanted = slots.map((slot) => ({ slot, version: slot.version }));
    const waits = ({ slot, version }: Attempt<K>): boolean =>
      this.slots.get(slot.entry.redisKey) === slot && slot.written < version;
    this.flushes++;
    try {
      this.arm();
      while (wanted.some(waits)) await this.progress();
    } finally {
      this.flushes--;
    }
  }

  /** Resolves when something has been written or dropped. */
  progress(): Promise<void> {
    return this.moved.promise;
  }

  /** Wakes whoever waits for progress, to look again. */
  wake(): void {
    const { moved } = this;
    this.moved = deferred();
    moved.resolve();
  }

  /** Gives up what waits; nothing more is written. How many. */
  async stop(reason: Error): Promise<number> {
    this.stopped = true;
    this.clock.clearTimer(this.timer);
    const left = [...this.slots.values()];
    if (left.length > 0) await this.drop(left, reason);
    return left.length;
  }

  /** Sets the time of the next batch; one that is set already is only brought forward. */
  private arm(): void {
    if (this.writing || this.stopped || this.slots.size === 0) return;
    const ms = this.pauseMs();
    if (ms >= this.timerMs) return;
    this.clock.clearTimer(this.timer);
    this.timerMs = ms;
    this.timer = this.clock.setTimer(ms, this.run);
  }

  private pauseMs(): number {
    const { batchSize, flushIntervalMs, backoffMs } = this.settings;
    if (this.failures > 0) return Math.min(backoffMs * 2 ** (this.failures - 1), MAX_BACKOFF_MS);
    const [first] = this.slots.values();
    // What has failed before has waited for its batch already.
    const isUrgent = this.flushes > 0 || (first?.failures ?? 0) > 0;
    return isUrgent || this.slots.size >= batchSize ? 0 : flushIntervalMs;
  }

  private async writeBatch(): Promise<void> {
    this.timerMs = Infinity;
    this.writing = true;
    const batch = this.nextBatch();
    const error = await this.tryToWrite(batch);
    if (this.stopped) return;
    if (error === undefined) await this.finish(batch);
    else await this.fail(batch, error.cause);
    this.writing = false;
    this.wake();
    this.arm();
  }

  private async tryToWrite(batch: readonly Attempt<K>[]): Promise<{ cause: unknown } | undefined> {
    try {
      const writes = batch.map(({ slot }) => ({
        key: slot.given,
        value: slot.value.take() as V,
      }));
      await this.settings.write(writes);
      return undefined;
    } catch (cause) {
      return { cause };
    }
  }

  /** The first ones; one without tries is alone. */
  private nextBatch(): Attempt<K>[] {
    const { batchSize, retries } = this.settings;
    const batch: Attempt<K>[] = [];
    for (const slot of this.slots.values()) {
      const alone = slot.failures > retries;
      if (batch.length === batchSize || (alone && batch.length > 0)) break;
      batch.push({ slot, version: slot.version });
      if (alone) break;
    }
    return batch;
  }

  private async finish(batch: readonly Attempt<K>[]): Promise<void> {
    this.failures = 0;
    const now = this.clock.monotonic();
    for (const { slot, version } of batch) Object.assign(slot, { written: version, since: now });
    const done = batch.filter(isLatest).map(({ slot }) => slot);
    for (const slot of done) this.slots.delete(slot.entry.redisKey);
    await this.events.written(done);
  }

  private async fail(batch: readonly Attempt<K>[], error: unknown): Promise<void> {
    this.failures++;
    this.events.failed(batch.length, error);
    for (const { slot } of batch.filter(isLatest)) slot.failures++;
    const [{ slot }] = batch as [Attempt<K>];
    if (batch.length === 1 && slot.failures > this.settings.retries) await this.drop([slot], error);
  }

  private async drop(slots: readonly Slot<K>[], error: unknown): Promise<void> {
    for (const slot of slots) this.slots.delete(slot.entry.redisKey);
    await this.events.dropped(slots, error);
    this.wake();
  }
}

/** A slot, and which of its values. */
interface Attempt<K> {
  readonly slot: Slot<K>;
  readonly version: number;
}

const isLatest = ({ slot, version }: Attempt<unknown>): boolean => slot.version === version;
