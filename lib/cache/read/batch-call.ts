import type { LimitFunction } from 'p-limit';
import { atEndOfTick, deferred, inSlices, type Deferred } from '../../common/async.js';
import type { Clock, TimerHandle } from '../../common/clock.js';
import type { Duration } from '../../common/duration.js';
import { pairsOf } from '../../common/option-checks.js';
import type { Key } from '../../keys/encode-key.js';
import type { EntryKey, KeySpace } from '../../keys/key-space.js';
import { lifeMs, momentMs } from '../life.options.js';
import type { Flight } from '../flights.js';
import { tagsOf, type Wishes } from './load-context.js';
import { Place } from './load-line.js';
import {
  loadedAs,
  type Loaded,
  type LoaderRun,
  type LoadRequest,
  type LoadTogether,
} from './loader-run.js';

/** What the loader of `getOrSetMany` is given. A key that it is not to load is ignored. */
export interface BatchLoadContext {
  /** The keys to load, as the caller gave them. */
  readonly keys: readonly Key[];
  /** Fires when the load has taken longer than `loaderTimeout`; its result is not waited for any more. */
  readonly signal: AbortSignal;
  /** How long this key's value is kept, instead of the `ttl` of the call. */
  setTtl(key: Key, ttl: Duration): void;
  /** Until when, instead of that; a moment that has passed: the value is returned and not stored. */
  setExpiresAt(key: Key, at: Date | number): void;
  /** The tags of this key's value, instead of those of the call. */
  setTags(key: Key, tags: readonly string[]): void;
  /** This key's value is returned to the callers and not stored. */
  skip(key: Key): void;
}

/** What a loader of several keys gives: pairs of key and value, for instance a Map. */
export type Pairs = Iterable<readonly [Key, unknown]>;

export type BatchLoader = (missing: Key[], context: BatchLoadContext) => Pairs | Promise<Pairs>;

/** One key that waits for the loader. */
interface Part extends Deferred<Loaded> {
  readonly flight: Flight;
  readonly request: LoadRequest;
}

/**
 * After the first load, keys whose holder has failed come back one by one, as leases expire and messages arrive; and so do, after
 * the call, those that are refreshed in the background. They are gathered for so long, unless it is known that no more come.
 */
const GATHER_MS = 30;

/**
 * The load of one call of `getOrSetMany`. Each key goes its own way (a copy, a hit, somebody else's load, a lease), and as soon
 * as all have found theirs, those that this call has to load are given to the loader together.
 */
export class BatchCall implements LoadTogether {
  /** By Redis key: those of which it is not known yet whether this call has to load them. */
  private readonly undecided: Set<string>;
  /** The place of each key in the list as it was given. */
  private readonly ranks: ReadonlyMap<string, number>;
  private waiting = 0;
  private place: Place | undefined;
  private parts: Part[] = [];
  private looksAtEndOfTick = false;
  private gathering: TimerHandle | undefined;
  private hasLoaded = false;
  private isOver = false;
  private run!: LoaderRun;

  constructor(
    keys: readonly string[],
    private readonly loader: BatchLoader,
    private readonly options: { space: KeySpace; clock: Clock },
  ) {
    this.undecided = new Set(keys);
    this.ranks = new Map(keys.map((key, i) => [key, i]));
  }

  placeIn(line: LimitFunction): Place {
    if (!this.place || this.place.isLeft) this.place = new Place(line);
    return this.place;
  }

  load(flight: Flight, request: LoadRequest, run: LoaderRun): Promise<Loaded> {
    this.run = run;
    const part = { ...deferred<Loaded>(), flight, request };
    this.parts.push(part);
    this.decided(request.key);
    return part.promise;
  }

  waits(key: EntryKey): void {
    this.waiting++;
    this.decided(key);
  }

  goesOn(key: EntryKey): void {
    this.waiting--;
    this.undecided.add(key.redisKey);
  }

  /** Whatever has become of it. */
  decided({ redisKey }: EntryKey): void {
    this.undecided.delete(redisKey);
    if (this.looksAtEndOfTick) return;
    this.looksAtEndOfTick = true;
    atEndOfTick(this.loadIfDue);
  }

  /** Every key has been served: what is loaded from here on is loaded in the background. */
  over(): void {
    this.isOver = true;
  }

  private readonly loadIfDue = (): void => {
    this.looksAtEndOfTick = false;
    if (this.undecided.size > 0 || this.parts.length === 0) return;
    const mayBeMore = this.isOver || (this.hasLoaded && this.waiting > 0);
    if (!mayBeMore) return void this.loadNow();
    this.gathering ??= this.options.clock.setTimer(GATHER_MS, () => void this.loadNow());
  };

  private async loadNow(): Promise<void> {
    this.options.clock.clearTimer(this.gathering);
    this.gathering = undefined;
    const rankOf = ({ request: { key } }: Part): number => this.ranks.get(key.redisKey)!;
    const parts = this.parts.sort((a, b) => rankOf(a) - rankOf(b));
    this.parts = [];
    // What comes later is for another call of the loader.
    this.place = undefined;
    this.hasLoaded = true;
    try {
      const { values, wishes } = await this.callLoader(parts);
      // Each is encoded and sent at once; other work of this process has its turn meanwhile.
      await inSlices(parts, async (part) => this.settle(part, values, wishes));
    } catch (error) {
      for (const part of parts) part.reject(error);
    }
  }

  /** A `ttl` function that throws for one value does not concern the others. */
  private settle(
    part: Part,
    values: ReadonlyMap<string, unknown>,
    wishes: ReadonlyMap<string, Wishes>,
  ): void {
    const { key, settings } = part.request;
    const own = wishes.get(key.redisKey) ?? {};
    try {
      part.resolve(loadedAs(values.get(key.redisKey), own, settings, this.options.clock.now()));
    } catch (error) {
      part.reject(error);
    }
  }

  private async callLoader(parts: readonly Part[]) {
    const missing = new Map(parts.map(({ request: { key } }) => [key.redisKey, key.given]));
    const keys = [...missing.values()];
    const flights = parts.map(({ flight }) => flight);
    const { wishes, context, valuesOf } = wishBook(this.options.space, BY_LOADER);
    const values = await this.run.run(flights, {
      operation: 'getOrSetMany',
      load: ({ signal }) => this.loader([...keys], { keys, signal, ...context }),
      as: valuesOf,
    });
    return { values, wishes };
  }
}

const BY_LOADER = { call: 'getOrSetMany', author: 'loader' };

/** What a loader or a writer says of each of its keys, by Redis key. Whose it is goes into errors. */
export function wishBook(space: KeySpace, { call, author }: { call: string; author: string }) {
  const idOf = (key: Key): string => space.entry(key).redisKey;
  const wishes = new Map<string, Wishes>();
  const wish = (key: Key, more: Wishes): void => {
    const id = idOf(key);
    wishes.set(id, { ...wishes.get(id), ...more });
  };
  return {
    wishes,
    context: {
      setTtl: (key: Key, ttl: Duration) => wish(key, { life: { ttlMs: lifeMs(ttl, 'setTtl') } }),
      setExpiresAt: (key: Key, at: Date | number) =>
        wish(key, { life: { expiresAt: momentMs(at, 'setExpiresAt') } }),
      setTags: (key: Key, tags: readonly string[]) => wish(key, { tags: tagsOf(tags) }),
      skip: (key: Key) => wish(key, { skipped: true }),
    },
    valuesOf: (pairs: Pairs): Map<string, unknown> => {
      const values = new Map<string, unknown>();
      for (const [key, value] of pairsOf(call, `${author} (what it gives)`, pairs))
        values.set(idOf(key), value);
      return values;
    },
  };
}
