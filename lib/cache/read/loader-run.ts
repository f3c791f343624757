import pLimit from 'p-limit';
import type { TimerHandle } from '../../common/clock.js';
import type { Duration } from '../../common/duration.js';
import { CacheTimeoutError } from '../../common/errors.js';
import { assertTags } from '../../tags/tag-names.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { EntryKind } from '../entry.js';
import { lifeMs, type LoadSettings } from '../entry.options.js';
import { nextMoment, type Flight } from '../flights.js';
import { runAsLoadOf } from '../nested-loads.js';
import type { CacheParts } from '../parts.js';

/** What a loader is given. */
export interface LoadContext {
  /** The key as the caller gave it. */
  readonly key: unknown;
  /** Fires when the load has taken longer than `loaderTimeout`; its result is not waited for any more. */
  readonly signal: AbortSignal;
  /** How long this value is kept, instead of the `ttl` of the call. */
  setTtl(ttl: Duration): void;
  /** The tags of this value, instead of those of the call. */
  setTags(tags: readonly string[]): void;
  /** The value is returned to the callers and not stored. */
  skip(): void;
}

export type Loader = (context: LoadContext) => unknown;

export interface LoadRequest {
  readonly key: EntryKey;
  readonly kind: EntryKind;
  readonly loader: Loader;
  readonly settings: LoadSettings;
}

/** What a loader gave, and what is to become of it. */
export interface Loaded {
  readonly value: unknown;
  /** Infinity: it does not expire. */
  readonly ttlMs: number;
  readonly tags: readonly string[] | undefined;
  readonly store: boolean;
}

/** Runs loaders: so many at a time, so long at most. */
export class LoaderRun {
  private readonly limit: ReturnType<typeof pLimit> | undefined;

  constructor(private readonly parts: CacheParts) {
    const { loaderConcurrency } = parts.settings;
    if (loaderConcurrency !== Infinity) this.limit = pLimit(loaderConcurrency);
  }

  async load(flight: Flight, request: LoadRequest): Promise<Loaded> {
    return this.limit
      ? this.limit(() => this.loadNow(flight, request))
      : this.loadNow(flight, request);
  }

  private async loadNow(flight: Flight, { key, loader, settings }: LoadRequest): Promise<Loaded> {
    const abort = new AbortController();
    let { tags } = settings;
    let ttlMs: number | undefined;
    let skipped = false;
    const context: LoadContext = {
      key: key.given,
      signal: abort.signal,
      setTtl: (ttl) => void (ttlMs = lifeMs(ttl, 'setTtl')),
      setTags: (given) => {
        assertTags('setTags', given);
        tags = [...given];
      },
      skip: () => void (skipped = true),
    };
    const timeout = this.timeout(key.given, abort);
    flight.loadBegan = nextMoment();
    try {
      const value = await Promise.race([
        runAsLoadOf(key.redisKey, () => loader(context)),
        timeout.promise,
      ]);
      const store = !skipped && value !== undefined && (value !== null || settings.cacheNull);
      const life = ttlMs ?? (value === null ? settings.negativeTtlMs : settings.ttlMs);
      return { value, store, tags, ttlMs: life };
    } finally {
      timeout.cancel();
    }
  }

  private timeout(key: unknown, abort: AbortController) {
    const { clock, settings } = this.parts;
    let timer: TimerHandle;
    const promise = new Promise<never>((_, reject) => {
      timer = clock.setTimer(settings.loaderTimeoutMs, () => {
        const error = new CacheTimeoutError(
          `The loader has not ended within loaderTimeout (${settings.loaderTimeoutMs} ms)`,
          { key },
        );
        reject(error);
        abort.abort(error);
      });
    });
    return { promise, cancel: () => clock.clearTimer(timer) };
  }
}
