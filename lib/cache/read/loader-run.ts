import { AsyncResource } from 'node:async_hooks';
import type { Deferred } from '../../common/async.js';
import { CacheTimeoutError } from '../../common/errors.js';
import type { EntryKey } from '../../keys/key-space.js';
import { Deadlines, type Deadline } from '../../resilience/deadlines.js';
import type { EntryKind } from '../entry.js';
import type { LoadSettings } from '../entry.options.js';
import { keptMs, slides } from '../life.options.js';
import { nextMoment, type Flight } from '../flights.js';
import { runAsLoadOf } from '../nested-loads.js';
import type { CacheParts } from '../parts.js';
import { Context, Patience, type LoadContext, type Wishes } from './load-context.js';
import type { OnePlace } from './load-line.js';

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

interface Run<T, R> {
  /** In errors, where it is for one key. */
  readonly key?: unknown;
  readonly operation: string;
  readonly load: (patience: Patience) => T | Promise<T>;
  readonly as: (value: T) => R;
}

/** Runs loaders, so long at most. */
export class LoaderRun {
  private readonly deadlines: Deadlines;

  constructor(private readonly parts: CacheParts) {
    this.deadlines = new Deadlines(parts.settings.loaderTimeoutMs, parts.clock);
  }

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
    const { parts, deadlines } = this;
    const { operation } = run;
    const subject = { given: run.key, redisKey: flights[0]!.key };
    const begin = (): Promise<R> =>
      new Promise((resolve, reject) => {
        const around = { parts, deadlines, subject, resolve, reject };
        const running = new RunningLoader(flights, run, around);
        const kind = operation === 'http' ? 'http' : 'value';
        const keys = new Set(flights.map((flight) => flight.key));
        runAsLoadOf({ kind, keys, store: parts.store }, running.load, running);
      });
    return parts.meter.load(operation, subject, begin);
  }
}

interface Surroundings<R> extends Pick<Deferred<R>, 'resolve' | 'reject'> {
  readonly parts: CacheParts;
  readonly deadlines: Deadlines;
  /** In messages. */
  readonly subject: { readonly given: unknown; readonly redisKey: string };
}

/**
 * A loader from its call until it has given something, has failed, or is late. What that then does runs in the context of the call:
 * the timer of the deadlines is that of another load.
 */
class RunningLoader<T, R> extends AsyncResource {
  private readonly patience = new Patience();
  private readonly deadline: Deadline;
  private isOver = false;

  constructor(
    private readonly flights: readonly Flight[],
    private readonly run: Run<T, R>,
    private readonly around: Surroundings<R>,
  ) {
    super('CacheLoad');
    this.deadline = around.deadlines.set(() => this.runInAsyncScope(this.expire, this));
    const moment = nextMoment();
    for (const flight of flights) flight.loadBegan = moment;
  }

  readonly load = (): T | Promise<T> => this.run.load(this.patience);

  resolve(value: T): void {
    if (this.isOver) return;
    let result: R;
    try {
      result = this.run.as(value);
    } catch (error) {
      return this.reject(error);
    }
    this.stop();
    this.end();
    this.around.resolve(result);
  }

  reject(error: unknown): void {
    if (this.isOver) return;
    this.stop();
    this.end({ error });
    this.around.reject(error);
  }

  private expire(): void {
    const { key } = this.run;
    const ms = this.around.parts.settings.loaderTimeoutMs;
    const error = new CacheTimeoutError(
      `The loader has not ended within loaderTimeout (${ms} ms)`,
      key === undefined ? {} : { key },
    );
    this.end({ error });
    this.around.reject(error);
    this.patience.end(error);
  }

  private stop(): void {
    this.around.deadlines.clear(this.deadline);
  }

  private end(failure?: { error: unknown }): void {
    this.isOver = true;
    const { parts, subject } = this.around;
    const { clock, meter } = parts;
    const costMs = clock.monotonic() - this.deadline.setAt;
    for (const flight of this.flights) {
      flight.costMs = costMs;
      flight.onLoaded?.();
    }
    meter.loaded(this.run.operation, subject, costMs, failure);
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
