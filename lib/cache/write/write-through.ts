import type { Duration } from '../../common/duration.js';
import type { Key } from '../../keys/encode-key.js';
import type { EntryKey, KeySpace } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { EntryKind } from '../entry.js';
import type { WriteSettings } from '../entry.options.js';
import { keptMs, lifeMs, momentMs, slides } from '../life.options.js';
import type { CacheParts } from '../parts.js';
import { wishBook, type Pairs } from '../read/batch-call.js';
import type { EntryFormats } from '../read/entry-formats.js';
import { tagsOf, type Wishes } from '../read/load-context.js';
import type { Left, WriteBarrier } from './write-barrier.js';

/** What the writer of `writeThrough` is given. */
export interface WriteContext {
  /** The key as the caller gave it. */
  readonly key: unknown;
  /** How long the value is kept, instead of the `ttl` of the call. */
  setTtl(ttl: Duration): void;
  /** Until when, instead of that; a moment that has passed: the value is returned and not stored. */
  setExpiresAt(at: Date | number): void;
  /** The tags of this value, instead of those of the call. */
  setTags(tags: readonly string[]): void;
  /** The value is returned and not stored. */
  skip(): void;
}

/** What the writer of `writeThroughMany` is given. A key that it is not to write is ignored. */
export interface BatchWriteContext {
  /** As the caller gave them. */
  readonly keys: readonly Key[];
  /** How long this key's value is kept, instead of the `ttl` of the call. */
  setTtl(key: Key, ttl: Duration): void;
  /** Until when, instead of that; a moment that has passed: the value is returned and not stored. */
  setExpiresAt(key: Key, at: Date | number): void;
  /** The tags of this key's value, instead of those of the call. */
  setTags(key: Key, tags: readonly string[]): void;
  /** This key's value is returned and not stored. */
  skip(key: Key): void;
}

export type BatchWriter = (context: BatchWriteContext) => Pairs | Promise<Pairs>;

/** A write of some keys: `T` is what the writer gives. */
interface Write<T> {
  readonly kind: EntryKind;
  readonly settings: WriteSettings;
  run(): Promise<T>;
  valueOf(written: T, key: EntryKey): unknown;
  wishesOf(key: EntryKey): Wishes;
}

/** Runs writers behind a barrier and stores what they return, unless somebody else wrote or evicted meanwhile. */
export class WriteThrough {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: {
      readonly barrier: WriteBarrier;
      readonly formats: EntryFormats;
      readonly modes: CallModes;
    },
  ) {}

  /** The value, as a read gives it. */
  async one(
    key: EntryKey,
    writer: (context: WriteContext) => unknown,
    settings: WriteSettings,
    kind: EntryKind = 'value',
  ): Promise<unknown> {
    const wishes: Wishes = {};
    const context: WriteContext = {
      key: key.given,
      setTtl: (ttl) => void (wishes.life = { ttlMs: lifeMs(ttl, 'setTtl') }),
      setExpiresAt: (at) => void (wishes.life = { expiresAt: momentMs(at, 'setExpiresAt') }),
      setTags: (tags) => void (wishes.tags = tagsOf(tags)),
      skip: () => void (wishes.skipped = true),
    };
    const values = await this.through([key], {
      kind,
      settings,
      run: async () => writer(context),
      valueOf: (written) => written,
      wishesOf: () => wishes,
    });
    return values.get(key.redisKey);
  }

  /** The values by Redis key, as reads give them; `keys` has each once. */
  many(
    space: KeySpace,
    keys: readonly EntryKey[],
    { writer, settings }: { writer: BatchWriter; settings: WriteSettings },
  ): Promise<Map<string, unknown>> {
    const book = wishBook(space, { call: 'writeThroughMany', author: 'writer' });
    const context = { keys: keys.map((key) => key.given), ...book.context };
    return this.through(keys, {
      kind: 'value',
      settings,
      run: async () => {
        const values = book.valuesOf(await writer(context));
        // As the call gives it: an error carries it.
        const written = keys.filter(({ redisKey }) => values.get(redisKey) !== undefined);
        return new Map(written.map(({ given, redisKey }) => [given, values.get(redisKey)]));
      },
      valueOf: (written, key) => written.get(key.given),
      wishesOf: (key) => book.wishes.get(key.redisKey) ?? {},
    });
  }

  private async through<T>(keys: readonly EntryKey[], of: Write<T>): Promise<Map<string, unknown>> {
    const { kind, settings, run, valueOf, wishesOf } = of;
    const { modes, formats, barrier } = this.state;
    const { storesNothing } = modes;
    // Before the writer runs, so that an evict of a tag meanwhile is not lost. Without Redis nothing is stored anyway.
    const c0s = await Promise.all(
      keys.map((key) => this.parts.tags.clock(key.redisKey).catch(() => 0)),
    );
    const values = new Map<string, unknown>();
    const lives = new Map<string, number>();
    const write = async (): Promise<T> => {
      const written = await run();
      // As part of the write: a function of the call may throw, and then nothing is stored.
      for (const key of keys) lives.set(key.redisKey, this.lifeMs(written, key, of));
      return written;
    };
    const leave = async (written: T): Promise<Map<string, Left>> => {
      const left = new Map<string, Left>();
      for (const [i, key] of keys.entries()) {
        const value = valueOf(written, key);
        values.set(key.redisKey, value);
        const ttlMs = lives.get(key.redisKey)!;
        if (ttlMs <= 0) continue;
        if (storesNothing) {
          this.parts.meter.set(key, 'writeThrough', false);
          continue;
        }
        const { tags = settings.tags, life } = wishesOf(key);
        const sliding = slides(settings, life);
        const writable = { ...settings, tags, ttlMs, sliding, value, c0: c0s[i]! };
        const encoded = await formats.encode({ key, kind, operation: 'writeThrough' }, writable);
        if (!encoded) continue;
        left.set(key.redisKey, encoded.body);
        values.set(key.redisKey, encoded.value.take());
      }
      return left;
    };
    await barrier.around(keys, { operation: 'writeThrough', write, leave });
    return values;
  }

  /** How long a value is kept; 0 or less: not at all. */
  private lifeMs<T>(written: T, key: EntryKey, { valueOf, wishesOf, settings }: Write<T>): number {
    const value = valueOf(written, key);
    const { skipped, life } = wishesOf(key);
    if (skipped || value === undefined) return 0;
    return keptMs(value, life, settings, this.parts.clock.now());
  }
}
