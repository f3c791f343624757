import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ApplicationConfig, ModuleRef } from '@nestjs/core';
import { Observable, of, type Subscription } from 'rxjs';
import type { EntryKey } from '../keys/key-space.js';
import type { Key } from '../keys/encode-key.js';
import { leadingTo } from '../cache/decorated/decorated-method.js';
import { Caches, Warnings } from './caches.js';
import { HandlerRun } from './handler-run.js';
import type { HttpCache, HttpLoadResult } from './http-cache.js';
import { HttpExchange } from './http-exchange.js';
import { givenBy } from './lookup.js';
import { put } from './put.js';
import { Recorder, type Call } from './recorder.js';
import { replay, report } from './replay.js';
import { requestKey, varied } from './request-key.js';
import { bypassOf, isWanted } from './request-policy.js';
import type { Refusal } from './response-policy.js';
import { Route } from './route.js';
import { decodeResponse, valueOf, type StoredResponse } from './stored-response.js';

/**
 * Answers requests from the cache. `@Cacheable` binds it to its handler; bound globally or to a controller it acts on every
 * GET handler there, by the defaults where there is no `@Cacheable`, except for those with `@NoCache`.
 *
 * It stands between the handler and whatever is further out: guards have run, pipes run on a miss only, and interceptors
 * outside see the value that the handler returned, as JSON gives it back, on a miss as on a hit.
 */
@Injectable()
export class CacheableInterceptor implements NestInterceptor {
  private readonly caches: Caches;
  private readonly warnings = new Warnings();
  /** One per handler and controller; bounded by the application's routes. */
  private readonly routes = new WeakMap<object, Map<object, Route>>();

  constructor(
    moduleRef: ModuleRef,
    private readonly config: ApplicationConfig,
  ) {
    this.caches = new Caches(moduleRef);
  }

  intercept(context: ExecutionContext, inner: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return inner.handle();
    const next = { handle: () => leadingTo(context.getHandler(), () => inner.handle()) };
    const exchange = HttpExchange.of(context);
    if (!exchange) return next.handle();
    const route = this.routeOf(context);
    const { cacheable } = route;
    if (route.beyondUs && route.isDecorated)
      this.warnings.once(cacheable.where, NO_EFFECT[route.beyondUs]);
    if (route.excluded || route.beyondUs || !exchange.claim()) return next.handle();
    const run = new HandlerRun(next);
    const call: Call = { context, exchange, route, cacheable, next, run };
    return new Observable((out) => {
      let answer: Subscription | undefined;
      this.answer(call).then(
        (values) => {
          if (!out.closed) answer = values.subscribe(out);
        },
        (error: unknown) => out.error(error),
      );
      return () => {
        answer?.unsubscribe();
        run.abandon();
      };
    });
  }

  private async answer(call: Call): Promise<Observable<unknown>> {
    const { exchange, cacheable, next, context } = call;
    const cache = this.caches.named(cacheable.cache, cacheable.where);
    if (!cache) return next.handle();
    const wanted = await isWanted(cacheable, context);
    const bypass = wanted
      ? bypassOf(exchange, cacheable)
      : ({ kind: 'bypass', why: 'bypass', detail: 'condition' } as const);
    if (bypass?.detail && bypass.detail in IDENTIFIED)
      this.warnings.once(cacheable.where, IDENTIFIED[bypass.detail]!);
    if (cacheable.kind === 'put' && wanted) return this.put(call, cache, { stores: !bypass });
    const key = bypass ? undefined : this.keyOf(call, cache);
    if (!key) {
      report(exchange, bypass ?? { kind: 'bypass', why: 'bypass', detail: 'key' });
      return next.handle();
    }
    return this.throughCache(call, cache, key);
  }

  private async put(
    call: Call,
    cache: HttpCache,
    { stores }: { stores: boolean },
  ): Promise<Observable<unknown>> {
    const keyOf = (...result: [] | [unknown]) => this.keyOf(call, cache, ...result);
    const { emitted, outcome, refusal, storedAt } = await put(call, cache, { keyOf, stores });
    this.warnOf(call, refusal);
    report(call.exchange, outcome);
    if (storedAt) this.watchForCookies(call, cache, storedAt);
    return emitted.one ? of(emitted.value) : emitted.all;
  }

  private async throughCache(
    call: Call,
    cache: HttpCache,
    key: EntryKey,
  ): Promise<Observable<unknown>> {
    const { exchange, cacheable, run } = call;
    const recorder = new Recorder(call, cache);
    let result = await this.load(cache, key, { call, recorder, force: cacheable.load.force });
    let stored = result?.bytes && opened(result.bytes);
    if (result?.source === 'hit' && !stored) {
      result = await this.load(cache, key, { call, recorder, force: true });
      stored = result?.bytes && opened(result.bytes);
    }
    if (result && stored) {
      replay(exchange, stored.response, result.source === 'loaded' ? 'own' : 'others');
      report(exchange, outcomeOf(result));
      if (result.source === 'loaded' && result.stored) this.watchForCookies(call, cache, key);
      return of(stored.value);
    }
    const emitted = await run.outcome();
    this.warnOf(call, recorder.refusal);
    report(exchange, { kind: 'miss', stored: false, detail: recorder.refusal?.refusal });
    return emitted.one ? of(emitted.value) : emitted.all;
  }

  private warnOf({ cacheable }: Call, refusal: Refusal | undefined): void {
    if (refusal?.warning) this.warnings.once(cacheable.where, `not stored: ${refusal.warning}`);
  }

  /** Undefined: the cache has failed us while our handler was at work, and its answer is all that matters now. */
  private async load(
    cache: HttpCache,
    key: EntryKey,
    { call, recorder, force }: { call: Call; recorder: Recorder; force: boolean | undefined },
  ): Promise<HttpLoadResult | undefined> {
    try {
      return await cache.loadHttp(key, recorder.load, { ...call.cacheable.load, force });
    } catch (error) {
      if (!call.run.started) throw error;
      return undefined;
    }
  }

  private keyOf(
    { exchange, cacheable, route, context }: Call,
    cache: HttpCache,
    ...result: [] | [unknown]
  ): EntryKey | undefined {
    const { key, http, where, namespace } = cacheable;
    try {
      const own = key
        ? (key.of(givenBy(context, ...result)) as Key | undefined)
        : requestKey(exchange, route);
      const vary = http.varyBy?.(context);
      if (own == null || (http.varyBy && vary == null)) {
        this.warnings.once(where, own == null ? NO_KEY : NO_VARY);
        return undefined;
      }
      return cache.keySpace(namespace).entry(vary == null ? own : varied(own, vary));
    } catch (error) {
      this.warnings.once(where, NO_KEY, error);
      return undefined;
    }
  }

  /**
   * Middleware may add a cookie when the headers are written, which is after the response was stored: a session that the
   * handler has begun, say. Such an entry is removed again.
   */
  private watchForCookies({ exchange, cacheable }: Call, cache: HttpCache, key: EntryKey): void {
    exchange.onSent(() => {
      if (!exchange.setsCookie) return;
      this.warnings.once(cacheable.where, LATE_COOKIE);
      cache.evict([key], 'queue').catch(() => undefined); // reported where it failed
    });
  }

  private routeOf(context: ExecutionContext): Route {
    const handler = context.getHandler();
    const known = this.routes.get(handler) ?? new Map<object, Route>();
    this.routes.set(handler, known);
    const route = known.get(context.getClass()) ?? new Route(context, this.config);
    known.set(context.getClass(), route);
    return route;
  }
}

const SHARED =
  "bypasses the cache, since the answer may be for one user alone: if it is the same for everybody, say http: { shared: true }; if not, give http.varyBy or a key like 'mine:{user.id}'";

const IDENTIFIED: Readonly<Record<string, string>> = {
  authorization: `a request with an Authorization header ${SHARED}`,
  cookie: `a request with a Cookie header ${SHARED}`,
  user: `a request with a user ${SHARED}`,
};

const NO_EFFECT = {
  sse: 'has no effect on a handler of server-sent events',
  response:
    'has no effect on a handler that writes the response itself: use @Res({ passthrough: true })',
} as const;

const NO_KEY = 'a request bypasses the cache, since it has no value for a part of the key';
const NO_VARY = 'a request bypasses the cache, since http.varyBy gives nothing for it';
const LATE_COOKIE =
  'a response got a cookie while it was sent, and is removed from the cache again: give the handler @NoCache(), or keep the middleware that sets the cookie away from it';

function opened(bytes: Buffer): { response: StoredResponse; value: unknown } | undefined {
  const response = decodeResponse(bytes);
  const body = response && valueOf(response);
  return body && { response, value: body.value };
}

function outcomeOf({ source, stored, ttlMs }: HttpLoadResult): Parameters<typeof report>[1] {
  if (source === 'hit') return { kind: 'hit', ttlMs };
  return source === 'joined' ? { kind: 'collapsed' } : { kind: 'miss', stored };
}
