import { AsyncResource } from 'node:async_hooks';
import { inSlices } from '../../common/async.js';
import { CacheError, closedError, CacheOptionsError } from '../../common/errors.js';
import type { Key } from '../../keys/encode-key.js';
import type { EntryKey, KeySpace } from '../../keys/key-space.js';
import { asStored } from '../../tags/tag-names.js';
import type { CacheEngine } from '../cache-engine.js';
import { engineOf, spaceOf, type CacheService } from '../cache.service.js';
import type { Opened } from '../entry.js';
import { throughSettings, type SetOptions } from '../entry.options.js';
import { Turns } from './turns.js';
import {
  writeBehindSettings,
  type WriteBehindOptions,
  type WriteBehindSettings,
} from './write-behind.options.js';
import { WritePump, type Slot } from './write-pump.js';
import type { Gone } from './write-queues.js';

/**
 * Writes later what is cached at once: `put` stores a value in the cache and queues it for the source. The queue lives in this
 * process; a process that is killed loses what `backlog` tells of, and those values stay cached for the rest of their ttl. When
 * the module shuts down the queue is written within `shutdownTimeout`.
 *
 * While a value waits, the source has an older one, and an evict would let readers bring that back. So they ask `pending` first;
 * and whenever an evict is heard of that may concern the key, whoever did it, the value is stored again, and a load that runs
 * meanwhile stores nothing.
 */
export class WriteBehind<K = Key, V = unknown> {
  private readonly settings: WriteBehindSettings<K, V>;
  private readonly engine: CacheEngine;
  private readonly space: KeySpace;
  private readonly pump: WritePump<K, V>;
  private readonly leave: () => void;
  /** For each key, so that what is cached and what is queued last is the same value. */
  private readonly turns = new Turns();
  private closed = false;
  /** Keys that are on their way into the queue. */
  private arriving = 0;
  /** For each key the values that wait for room, in the order in which they came. */
  private readonly waiting = new Map<string, Opened[]>();

  /** Throws `CacheOptionsError` for wrong options, `CacheError` (`ERR_CACHE_CLOSED`) when the cache is closed. */
  constructor(
    private readonly cache: CacheService,
    options: WriteBehindOptions<K, V>,
  ) {
    const engine = engineOf(cache);
    if (!engine)
      throw new CacheOptionsError('WriteBehind', [
        { path: 'cache', given: 'something else', accepted: 'a CacheService' },
      ]);
    this.engine = engine;
    this.space = spaceOf(cache);
    this.settings = writeBehindSettings(options);
    this.pump = new WritePump(this.settings, engine.parts.clock, {
      written: (slots) =>
        this.evict(slots, (slot) => this.settings.afterWrite === 'evict' || !slot.isCached),
      failed: (size, error) => this.reportFailed(size, error),
      dropped: (slots, error) => this.dropped(slots, error),
    });
    this.leave = engine.parts.queues.add({
      flush: () => this.flush(),
      close: () => this.close(),
      abandon: () => this.pump.stop(closedError('a queued write was given up')),
      // In the mode in which this is made, not in that of whoever happens to evict something.
      restore: AsyncResource.bind((gone: Gone) => this.restore(gone)),
    });
  }

  /**
   * Resolves when the value is cached and queued. Rejects, and queues nothing, where the queue is full (`ERR_CACHE_QUEUE_FULL`) or
   * closed (`ERR_CACHE_CLOSED`), and where `CacheService.set` rejects. Where that stores nothing, for want of Redis or in the mode
   * `bypass`, the value is queued all the same.
   */
  async put(key: K, value: V, options?: Omit<SetOptions, 'if'>): Promise<void> {
    const entry = this.entryOf(key);
    throughSettings('put', options, this.engine.options);
    // Before anything is waited for, so that what is cached and what is queued is what was given.
    const kept = this.engine.formats.copyOf(entry, value, options?.serializer);
    const own = options && {
      ...options,
      ...(options.tags && { tags: options.tags.map(asStored) }),
    };
    let isNew: boolean | undefined;
    // Only where there is no room, so that a flush of the same tick knows of it.
    while ((isNew = this.arrive(entry, kept)) === undefined) await this.pump.progress();
    try {
      await this.turns.take(entry.redisKey, async () => {
        const isCached = await this.cache.set(entry.given, kept.take(), own);
        if (this.pump.stopped) {
          await this.evictNow(entry);
          throw closedError('the value will not be written');
        }
        this.pump.put({ given: key, entry, value: kept, options: own, isCached });
      });
    } catch (error) {
      // Nothing will be written for it, so nobody else would tell those who wait of its place.
      this.pump.wake();
      throw error;
    } finally {
      if (isNew) this.arriving--;
    }
  }

  /** The value that waits for this key, or is being written; undefined: none. Newer than what the source has. */
  pending(key: K): V | undefined {
    return this.pump.slots.get(this.entryOf(key).redisKey)?.value.take() as V | undefined;
  }

  /** What would be lost if the process were killed now: the values of so many keys, the oldest of which waits for so long. */
  backlog(): { readonly size: number; readonly oldestMs: number } {
    const { slots } = this.pump;
    const now = this.engine.parts.clock.monotonic();
    let oldestMs = 0;
    for (const { since } of slots.values()) oldestMs = Math.max(oldestMs, now - since);
    return { size: slots.size, oldestMs };
  }

  /** Writes at once; resolves when what waits now, of all keys or of these, is written or dropped. */
  async flush(...keys: readonly K[]): Promise<void> {
    const { slots } = this.pump;
    // The cache's timers keep no process alive; this one does, as long as somebody waits.
    const alive = setInterval(() => undefined, 60_000);
    try {
      await this.turns.over();
      const chosen = keys.map((key) => slots.get(this.entryOf(key).redisKey));
      const some = chosen.filter((slot) => slot !== undefined);
      await this.pump.flush(keys.length > 0 ? some : [...slots.values()]);
    } finally {
      clearInterval(alive);
    }
  }

  /** Takes nothing more, and resolves when what waits is written or dropped. The module does this when it shuts down. */
  async close(): Promise<void> {
    this.closed = true;
    this.pump.wake();
    await this.flush();
    this.leave();
  }

  /**
   * Takes a place, or refuses. A key that waits already needs none: false. Undefined: there is no room yet, or not for this value,
   * because an older one of its key waits for it.
   */
  private arrive({ redisKey }: EntryKey, value: Opened): boolean | undefined {
    const { maxQueue, onFull } = this.settings;
    const { slots } = this.pump;
    if (this.closed) throw closedError('nothing can be queued');
    const [first = value, ...others] = this.waiting.get(redisKey) ?? [];
    const isNew = !slots.has(redisKey);
    if (first === value && (!isNew || slots.size + this.arriving < maxQueue)) {
      if (others.length > 0) this.waiting.set(redisKey, others);
      else this.waiting.delete(redisKey);
      if (isNew) this.arriving++;
      return isNew;
    }
    if (onFull === 'wait') {
      this.waiting.set(redisKey, [...new Set([first, ...others, value])]);
      return undefined;
    }
    throw new CacheError(
      'ERR_CACHE_QUEUE_FULL',
      `The queue is full: ${maxQueue} keys wait to be written; write less, or give it a larger maxQueue`,
    );
  }

  private entryOf(key: K): EntryKey {
    return this.space.entry(this.settings.key(key));
  }

  /** Stores again what waits and may have been evicted. */
  private restore(gone: Gone): void {
    const { slots } = this.pump;
    const some =
      gone !== 'anything' && 'keys' in gone
        ? gone.keys.map((redisKey) => slots.get(redisKey)).filter((slot) => slot !== undefined)
        : [...slots.values()].filter(({ options }) => this.mayHaveLost(gone, options?.tags));
    void inSlices(some, (slot) => this.storeAgain(slot));
  }

  private mayHaveLost(gone: Exclude<Gone, { keys: unknown }>, tags?: readonly string[]): boolean {
    if (gone === 'anything') return true;
    if (gone.path !== this.space.path) return false;
    return !gone.tags || gone.tags.some((tag) => tags?.includes(tag));
  }

  private async storeAgain(slot: Slot<K>): Promise<void> {
    const { given, redisKey } = slot.entry;
    const store = async (): Promise<void> => {
      if (this.pump.slots.get(redisKey) !== slot) return;
      slot.isCached = false;
      slot.isCached = await this.cache.set(given, slot.value.take(), slot.options);
    };
    await this.turns.take(redisKey, store).catch((error) => this.report('restore', error));
  }

  /** Those that this is `of`, unless a newer value has come meanwhile. */
  private async evict(
    slots: readonly Slot<K>[],
    of: (slot: Slot<K>) => boolean = () => true,
  ): Promise<void> {
    await Promise.all(
      slots.map((slot) =>
        this.turns.take(slot.entry.redisKey, async () => {
          if (of(slot) && !this.pump.slots.has(slot.entry.redisKey))
            await this.evictNow(slot.entry);
        }),
      ),
    );
  }

  /** What does not get through is sent again by the cache, and told of; nothing does once that is closed. */
  private async evictNow(entry: EntryKey): Promise<void> {
    await this.engine.evict([entry], 'queue').catch((error) => this.report('evict', error));
  }

  private async dropped(slots: readonly Slot<K>[], error: unknown): Promise<void> {
    // Nobody else has them, so what is cached is not true any more.
    await this.evict(slots);
    try {
      const writes = slots.map(({ given, value }) => ({ key: given, value: value.take() as V }));
      await this.settings.onDropped(writes, error);
    } catch (thrown) {
      this.report('onDropped', thrown);
    }
  }

  /** Without the text of the source's error, which may hold values. */
  private reportFailed(size: number, cause: unknown): void {
    const what = `A batch of ${size} queued writes has failed; it is tried again, and what fails alone after that is dropped`;
    this.report('write', new CacheError('ERR_CACHE_WRITE_BEHIND', what, { cause }));
  }

  private report(what: string, error: unknown): void {
    this.engine.parts.reporter.report(`WriteBehind.${what}`, undefined, error);
  }
}
