import type { Duration } from '../../common/duration.js';
import { assertTags } from '../../tags/tag-names.js';
import type { Flight } from '../flights.js';
import { lifeMs, momentMs, type Life } from '../life.options.js';

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

/** What was said of one value while it was loaded. */
export interface Wishes {
  life?: Life;
  tags?: readonly string[];
  skipped?: boolean;
}

/**
 * What one load gives its loader, who may take it apart: the methods need no `this`. A class: V8 makes a dictionary of an object
 * that is written with a getter.
 */
export class Context implements LoadContext {
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
export class Patience {
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

/** The loader's tags, its own from here on. */
export function tagsOf(given: readonly string[]): readonly string[] {
  assertTags('setTags', given);
  return [...given];
}
