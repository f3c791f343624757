import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { lifeMs, lifeOfNull } from '../cache/life.options.js';
import { tagProblems } from '../tags/tag-names.js';
import type { HandlerRun } from './handler-run.js';
import type { HttpCache, HttpLoadContext } from './http-cache.js';
import type { HttpExchange } from './http-exchange.js';
import type { CacheableRoute } from './http.options.js';
import { givenBy } from './lookup.js';
import { storable, type Refusal, type Storable } from './response-policy.js';
import type { Route } from './route.js';
import { encodeResponse } from './stored-response.js';

/** One request on its way. */
export interface Call {
  readonly context: ExecutionContext;
  readonly exchange: HttpExchange;
  readonly route: Route;
  readonly cacheable: CacheableRoute;
  readonly next: CallHandler;
  readonly run: HandlerRun;
}

/** Runs the handler of one request for the cache, and keeps in mind why its answer may not be stored. */
export class Recorder {
  refusal: Refusal | undefined;
  /** `Vary` before the handler ran. */
  private readonly varyBefore: string | undefined;

  constructor(
    private readonly call: Call,
    private readonly cache: HttpCache,
  ) {
    this.varyBefore = call.exchange.headerList('vary');
  }

  /** The loader: bytes to store, or undefined. Rejects with the handler's error. */
  readonly load = async (context: HttpLoadContext): Promise<Buffer | undefined> => {
    // Asked a second time, what the handler read the first time may have been evicted since.
    if (this.call.run.started) return undefined;
    return this.record(context);
  };

  /** The same for a handler that may have run already: what it has written is news whenever it is stored. */
  async record(context: HttpLoadContext): Promise<Buffer | undefined> {
    const emitted = await this.call.run.outcome(context.signal);
    const made = emitted.one
      ? await this.judge(emitted.value).catch(unjudged)
      : { refusal: 'emissions' };
    if ('refusal' in made) {
      this.refusal = made;
      return undefined;
    }
    if (made.ttlMs !== undefined) context.setTtl(made.ttlMs);
    if (made.tags) context.setTags(made.tags);
    return encodeResponse(made.response);
  }

  private async judge(value: unknown): Promise<Storable | Refusal> {
    const { cacheable } = this.call;
    const { cacheNull, negativeTtlMs } = this.cache.options;
    if (value === null && !(cacheable.cacheNull ?? cacheNull)) return { refusal: 'null' };
    const made = await storable({ ...this.call, value, varyBefore: this.varyBefore });
    if ('refusal' in made) return made;
    const tags = cacheable.tags?.of(givenBy(this.call.context, value)) as
      readonly string[] | undefined;
    if (tags && tagProblems(tags).length > 0) return { refusal: 'tags', warning: NO_TAG };
    const ttlMs =
      (value === null ? nullMs(cacheable, negativeTtlMs) : undefined) ?? ownMs(cacheable, value);
    if (made.sharedMaxAgeMs === undefined) return { ...made, tags, ttlMs };
    const longestMs = Math.min(made.sharedMaxAgeMs, ttlMs ?? this.cache.options.ttlMs);
    return { ...made, tags, ttlMs: longestMs };
  }
}

const nullMs = ({ negativeTtlMs: ownMs, load }: CacheableRoute, moduleMs: number | undefined) =>
  lifeOfNull({ ownMs, moduleMs, longestMs: load.ttlMs });

function ownMs({ options: { ttl }, load }: CacheableRoute, value: unknown): number | undefined {
  return typeof ttl === 'function' ? lifeMs(ttl(value), 'ttl') : load.ttlMs;
}

const NO_TAG =
  'a tag has no value for this request, or is no text of 1 to 256 characters; without it nobody could evict the response';

/** `unless` or `tags` has failed, or a header cannot be written down: the answer stands all the same. */
function unjudged(error: unknown): Refusal {
  return { refusal: 'error', warning: 'what may be stored could not be decided', cause: error };
}
