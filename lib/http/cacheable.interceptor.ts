import {
  Injectable,
  Optional,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ApplicationConfig, ModuleRef } from '@nestjs/core';
import { AsyncResource } from 'node:async_hooks';
import { Observable, of, type Subscription } from 'rxjs';
import type { EntryKey } from '../keys/key-space.js';
import type { Key } from '../keys/encode-key.js';
import { CacheService } from '../cache/cache.service.js';
import { Caches, Warnings } from './caches.js';
import { HandlerRun } from './handler-run.js';
import type { HttpCache, HttpLoadResult } from './http-cache.js';
import { HttpExchange } from './http-exchange.js';
import { RunsOnce } from './interceptors.js';
import { lead } from './lead.js';
import { givenBy } from './lookup.js';
import { PerHandler } from './per-handler.js';
import { put } from './put.js';
import { Recorder, type Call } from './recorder.js';
import { report } from './replay.js';
import { requestKey, varied } from './request-key.js';
import { bypassOf, IDENTIFIED, type Bypass } from './request-policy.js';
import { lateRefusal, type Refusal } from './response-policy.js';
import { NO_EFFECT, Route } from './route.js';
import { answerWith, openAnswer } from './stored-answer.js';

/**
 * Answers requests from the cache. `@Cacheable` binds it to its handler; bound globally or to a controller it acts on every
 * GET handler there, by the defaults where there is no `@Cacheable`, except for those with `@NoCache`.
 *
 * It stands between the handler and whatever is further out: guards have run, pipes run on a miss only, and interceptors
 * outside see the value that the handler returned, as JSON gives it back, on a miss as on a hit.
 */
@RunsOnce
@Injectable()
export class CacheableInterceptor implements NestInterceptor {
  private readonly caches: Caches;
  private readonly warnings = new Warnings();
  private readonly routes = new PerHandler<Route>();

  constructor(
    moduleRef: ModuleRef,
    private readonly config: ApplicationConfig,
    @Optional() cache?: CacheService,
  ) {
    this.caches = new Caches(moduleRef, cache);
  }

  intercept(context: ExecutionContext, inner: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return inner.handle();
    const route = this.routeOf(context);
    const handle = () => lead(context, route, () => inner.handle());
    const exchange = HttpExchange.of(context);
    if (!exchange) return handle();
    const { cacheable } = route;
    if (route.beyondUs && route.isDecorated)
      this.warnings.once(cacheable.where, NO_EFFECT[route.beyondUs]);
    const request = { context, exchange, route, cacheable };
    if (route.excluded || route.beyondUs || !this.mayAct(request)) return handle();
    const plan = cacheable.condition ? undefined : this.planFor(request);
    return (plan && this.atOnce(request, plan)) ?? this.later(request, { handle }, plan);
  }

  /** The first of several, but for one that cannot know which module's cache that of the decorator is. */
  private mayAct({ context, exchange, route }: Asked): boolean {
    if (route.isOurs) return true;
    return !(route.isDecorated && this.caches.isOfAnother(context.getClass())) && exchange.claim();
  }

  /** Answered by the copy in this process: nothing has to be waited for. */
  private atOnce(request: Asked, { cache, key }: Plan): Observable<unknown> | undefined {
    const { kind, load } = request.cacheable;
    const copy =
      key &&
      kind === 'load' &&
      !load.force &&
      load.version === undefined &&
      cache?.front.peek(key, 'http', 'http');
    const stored = copy && openAnswer(request, copy.take() as Buffer);
    if (!stored) return undefined;
    const outcome = { kind: 'hit', ttlMs: copy.freshMs() } as const;
    return answerWith(request.exchange, stored, { from: 'others', outcome });
  }

  private later(request: Asked, next: CallHandler, plan: Plan | undefined): Observable<unknown> {
    const run = new HandlerRun(next);
    // What an interceptor further out has given as context holds now, and not where it subscribes.
    const here = new AsyncResource('CacheableInterceptor');
    return new Observable((out) => {
      let answer: Subscription | undefined;
      const answered = here.runInAsyncScope(() => this.answer({ ...request, next, run }, plan));
      answered.then(
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

  private planFor(request: Asked, unwanted?: Bypass): Plan {
    const { exchange, cacheable, context } = request;
    const asking = { where: cacheable.where, controller: context.getClass() };
    const cache = this.caches.named(cacheable.cache, asking);
    const bypass = unwanted ?? bypassOf(exchange, cacheable);
    if (bypass?.detail && bypass.detail in IDENTIFIED)
      this.warnings.once(cacheable.where, IDENTIFIED[bypass.detail]!);
    const keyed = cache && !bypass && cacheable.kind === 'load';
    return { cache, bypass, key: keyed ? this.keyOf(request, cache) : undefined };
  }

  private async answer(call: Call, planned: Plan | undefined): Promise<Observable<unknown>> {
    const { exchange, cacheable, next, context } = call;
    const isWanted = !cacheable.condition || (await cacheable.condition(context));
    const { cache, bypass, key } = planned ?? this.planFor(call, isWanted ? undefined : UNWANTED);
    if (!cache) return next.handle();
    if (cacheable.kind === 'put' && isWanted) return this.put(call, cache, { stores: !bypass });
    if (key) return this.throughCache(call, cache, key);
    report(exchange, bypass ?? { kind: 'bypass', why: 'bypass', detail: 'key' });
    return next.handle();
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
    if (storedAt) this.watchHeaders(call, cache, storedAt);
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
    let stored = result?.bytes && openAnswer(call, result.bytes);
    if (result?.source === 'hit' && !stored) {
      result = await this.load(cache, key, { call, recorder, force: true });
      stored = result?.bytes && openAnswer(call, result.bytes);
    }
    if (result && stored) {
      if (result.source === 'loaded' && result.stored) this.watchHeaders(call, cache, key);
      const from = result.source === 'loaded' ? 'own' : 'others';
      return answerWith(exchange, stored, { from, outcome: outcomeOf(result) });
    }
    const emitted = await run.outcome();
    this.warnOf(call, recorder.refusal);
    report(exchange, { kind: 'miss', stored: false, detail: recorder.refusal?.refusal });
    return emitted.one ? of(emitted.value) : emitted.all;
  }

  private warnOf({ cacheable }: Call, refusal: Refusal | undefined): void {
    if (refusal?.warning)
      this.warnings.once(cacheable.where, `not stored: ${refusal.warning}`, refusal.cause);
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
    { exchange, cacheable, route, context }: Asked,
    cache: HttpCache,
    ...result: [] | [unknown]
  ): EntryKey | undefined {
    const { key, http, where, namespace } = cacheable;
    try {
      if (!key && !http.varyBy)
        return route.keys.of(exchange, () =>
          cache.keySpace(namespace).entry(requestKey(exchange, route)),
        );
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
   * What is further out may add headers when the response has been stored: a middleware the cookie of a session that the handler
   * has begun, say. If then it must not be stored, or if nobody will know since its client has hung up, it is removed again.
   */
  private watchHeaders({ exchange, cacheable }: Call, cache: HttpCache, key: EntryKey): void {
    exchange.onEnd(() => {
      const late = lateRefusal(exchange);
      if (exchange.isWritten && !late) return;
      if (late) this.warnings.once(cacheable.where, late);
      cache.evict([key], 'queue').catch(() => undefined); // reported where it failed
    });
  }

  private routeOf(context: ExecutionContext): Route {
    return this.routes.of(context, () => new Route(context, this.config, CacheableInterceptor));
  }
}

type Asked = Omit<Call, 'next' | 'run'>;

/** What is to be done for a request, before anything has been asked. */
interface Plan {
  readonly cache: HttpCache | undefined;
  readonly bypass: Bypass | undefined;
  /** Undefined: it is not to be read; with `@CachePut` the key is made of the result. */
  readonly key?: EntryKey | undefined;
}

const UNWANTED: Bypass = { kind: 'bypass', why: 'bypass', detail: 'condition' };

const NO_KEY = 'a request bypasses the cache, since it has no value for a part of the key';
const NO_VARY = 'a request bypasses the cache, since http.varyBy gives nothing for it';

function outcomeOf({ source, stored, ttlMs }: HttpLoadResult): Parameters<typeof report>[1] {
  if (source === 'hit') return { kind: 'hit', ttlMs };
  return source === 'joined' ? { kind: 'collapsed' } : { kind: 'miss', stored };
}
