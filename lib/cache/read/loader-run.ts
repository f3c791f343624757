import type { Duration } from '../../common/duration.js';
import { CacheTimeoutError } from '../../common/errors.js';
import { assertTags } from '../../tags/tag-names.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { LoadEnded } from '../../observe/meter.js';
import type { EntryKind } from '../entry.js';
import type { LoadSettings } from '../entry.options.js';
import { keptMs, lifeMs, momentMs, slides, type Life } from '../life.options.js';
import { nextMoment, type Flight } from '../flights.js';
import { runAsLoadOf } from '../nested-loads.js';
import type { CacheParts } from '../parts.js';
import type { OnePlace } from './load-line.js';

/** What a loader is given. */
export interface LoadContext {
  /** The key as the caller gave it. */
  readonly key: unknown;
  /** Fires when the load has taken longer than `loaderTimeout`; its result is not waited for any more. */
  readonly signal: AbortSignal;
  /** The value that this load is to replace; undefined: there is none. */
  readonly stale?: unknown;
  /** How long this value is kept, instead of the `ttl` of the call. */
  setTtl(ttl: Duration): void;
  /** Until when, instead of that; a moment that has passed: the value is returned and not stored. */
  setExpiresAt(at: Date | number): void;
  /** The tags of this value, instead of those of the call. */
  setTags(tags: readonly string[]): void;
  /** The value is returned to the callers and not stored. */
  skip(): void;
}

export type Loader = (context: LoadContext) => unknown;

export interface LoadRequest {
  readonly key: EntryKey;
  readonly kind: EntryKind;
  /** Of this key alone, or the call that loads it together with others. */
  readonly loader: Loader | LoadTogether;
  readonly settings: LoadSettings;
}

/** A loader of several keys, as seen by the request of one of them. */
export interface LoadTogether extends OnePlace {
  /** The key has to be loaded; `run` is what runs loaders. */
  load(flight: Flight, request: LoadRequest, run: LoaderRun): Promise<Loaded>;
  /** The request waits for somebody else's load, and then goes on. */
  waits(key: EntryKey): void;
  goesOn(key: EntryKey): void;
}

/** What a loader gave, and what is to become of it. */
export interface Loaded {
  readonly value: unknown;
  /** Infinity: it does not expire. */
  readonly ttlMs: number;
  readonly tags: readonly string[] | undefined;
  readonly sliding: boolean;
  readonly store: boolean;
  /** The source has nothing any more; so a value that is kept in grace must not stand in for it. */
  readonly gone: boolean;
}

/** What was said of one value while it was loaded. */
export interface Wishes {
  life?: Life;
  tags?: readonly string[];
  skipped?: boolean;
}

interface Run<T, R> {
  /** In errors, where it is for one key. */
  readonly key?: unknown;
  readonly operation: string;
  readonly load: (patience: Patience) => T | Promise<T>;
  readonly as: (value: T) => R;
}

/** Runs loaders, so long at most. */
export class LoaderRun {
  constructor(private readonly parts: CacheParts) {}

  load(flight: Flight, request: LoadRequest): Promise<Loaded> {
    const { key, loader, settings } = request;
    if (typeof loader !== 'function') return loader.load(flight, request, this);
    const wishes: Wishes = {};
    const operation = request.kind === 'http' ? 'http' : 'getOrSet';
    return this.run([flight], {
      key: key.given,
      operation,
      load: (patience) => loader(new Context(key.given, { flight, patience, wishes })),
      as: (value) => loadedAs(value, wishes, settings, this.parts.clock.now()),
    });
  }

  /** Runs one loader for these flights; what `as` makes of its result. */
  run<T, R>(flights: readonly Flight[], run: Run<T, R>): Promise<R> {
    const subject = { given: run.key, redisKey: flights[0]!.key };
    const metered = (ended: LoadEnded): Promise<R> => this.runMetered(flights, run, ended);
    return this.parts.meter.load(run.operation, subject, metered);
  }

  private runMetered<T, R>(
    flights: readonly Flight[],
    { key, operation, load, as }: Run<T, R>,
    ended: LoadEnded,
  ): Promise<R> {
    const { clock, settings, store } = this.parts;
    const patience = new Patience();
    const [began, moment] = [clock.monotonic(), nextMoment()];
    for (const flight of flights) flight.loadBegan = moment;
    const kind = operation === 'http' ? 'http' : 'value';
    const loads = { kind, keys: new Set(flights.map((flight) => flight.key)), store } as const;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end: LoadEnded = (failure) => {
        isOver = true;
        clock.clearTimer(timer);
        const costMs = clock.monotonic() - began;
        for (const flight of flights) {
          flight.costMs = costMs;
          flight.onLoaded?.();
        }
        ended(failure);
      };
      const fail = (error: unknown): void => {
        end({ error });
        reject(error);
      };
      const timer = clock.setTimer(settings.loaderTimeoutMs, () => {
        const error = new CacheTimeoutError(
          `The loader has not ended within loaderTimeout (${settings.loaderTimeoutMs} ms)`,
          key === undefined ? {} : { key },
        );
        fail(error);
        patience.end(error);
      });
      runAsLoadOf(loads, () => load(patience), {
        resolve: (value) => {
          if (isOver) return;
          let result: R;
          try {
            result = as(value);
          } catch (error) {
            return fail(error);
          }
          end();
          resolve(result);
        },
        reject: (error) => {
          if (!isOver) fail(error);
        },
      });
    });
  }
}

/**
 * What one load gives its loader, who may take it apart: the methods need no `this`. A class: V8 makes a dictionary of an object
 * that is written with a getter.
 */
class Context implements LoadContext {
  readonly #load: { flight: Flight; patience: Patience; wishes: Wishes };

  constructor(
    readonly key: unknown,
    load: { flight: Flight; patience: Patience; wishes: Wishes },
  ) {
    this.#load = load;
  }

  get signal(): AbortSignal {
    return this.#load.patience.signal;
  }

  get stale(): unknown {
    return this.#load.flight.stale?.take();
  }

  get setTtl(): LoadContext['setTtl'] {
    return (ttl) => void (this.#load.wishes.life = { ttlMs: lifeMs(ttl, 'setTtl') });
  }

  get setExpiresAt(): LoadContext['setExpiresAt'] {
    return (at) => void (this.#load.wishes.life = { expiresAt: momentMs(at, 'setExpiresAt') });
  }

  get setTags(): LoadContext['setTags'] {
    return (given) => void (this.#load.wishes.tags = tagsOf(given));
  }

  get skip(): LoadContext['skip'] {
    return () => void (this.#load.wishes.skipped = true);
  }
}

/** How long a loader is waited for. Most never ask, and a signal takes longer to make than a load to begin. */
class Patience {
  private abort: AbortController | undefined;
  private reason: unknown;

  get signal(): AbortSignal {
    if (this.reason !== undefined) return AbortSignal.abort(this.reason);
    return (this.abort ??= new AbortController()).signal;
  }

  end(reason: unknown): void {
    if (this.abort) this.abort.abort(reason);
    else this.reason = reason;
  }
}

/** What is to become of a value. */
export function loadedAs(
  value: unknown,
  wishes: Wishes,
  settings: LoadSettings,
  now: number,
): Loaded {
  const { tags = settings.tags, skipped } = wishes;
  const wanted = !skipped && value !== undefined && (value !== null || settings.cacheNull);
  const ttlMs = wanted ? keptMs(value, wishes.life, settings, now) : 0;
  const store = ttlMs > 0;
  const gone = !store && !skipped;
  return { value, store, tags, ttlMs, sliding: slides(settings, wishes.life), gone };
}

/** The loader's tags, its own from here on. */
export function tagsOf(given: readonly string[]): readonly string[] {
  assertTags('setTags', given);
  return [...given];
}

/** Tells others who meet this flight whose load it is. */
export function label(flight: Flight, request: LoadRequest): void {
  flight.loads = loadsOf(request);
  flight.version = request.settings.version;
}

export const loadsOf = ({ loader }: LoadRequest): Flight['loads'] =>
  typeof loader === 'function' ? 'one' : 'several';

/** Tells the call that a key belongs to, if it is one of several, that somebody else is at it. */
export function whileWaiting<T>({ key, loader }: LoadRequest, promise: Promise<T>): Promise<T> {
  if (typeof loader === 'function') return promise;
  loader.waits(key);
  return promise.finally(() => loader.goesOn(key));
}
