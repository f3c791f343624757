import {
  Injectable,
  Optional,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { SSE_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig, ModuleRef } from '@nestjs/core';
import { AsyncResource } from 'node:async_hooks';
import { types } from 'node:util';
import { concat, defer, from, ignoreElements, isObservable, mergeMap, Observable, tap } from 'rxjs';
import type { Evicting, EvictTarget } from '../cache/decorated/compile.js';
import { CacheService } from '../cache/cache.service.js';
import type { Way } from '../cache/decorated/decorated-method.js';
import { evictFrom } from '../cache/decorated/evict-target.js';
import { isPromiseLike } from '../common/async.js';
import { tagProblems } from '../tags/tag-names.js';
import { Caches, Warnings } from './caches.js';
import { cacheEvictRoutes } from './http.options.js';
import { endsWithHandler, interceptorsOf, RunsOnce } from './interceptors.js';
import { lead } from './lead.js';
import { givenBy } from './lookup.js';
import { PerHandler } from './per-handler.js';
import { writesResponse } from './route.js';

/**
 * Evicts for a handler with `@CacheEvict`, which binds it: once the handler has succeeded and its observable has completed,
 * and before the response is sent, so that whoever has seen the response never reads what it replaced.
 *
 * The handler's transaction has committed by then. So nothing that goes wrong here fails the request, unless the module says
 * `evictFailure: 'throw'` or `failure: 'strict'`: it is reported, and an evict that did not reach Redis is retried.
 */
@RunsOnce
@Injectable()
export class CacheEvictInterceptor implements NestInterceptor {
  private readonly caches: Caches;
  private readonly warnings = new Warnings();
  private readonly known = new PerHandler<{ readonly endsWithHandler: boolean }>();

  constructor(
    private readonly moduleRef: ModuleRef,
    @Optional() cache?: CacheService,
  ) {
    this.caches = new Caches(moduleRef, cache);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const handler = context.getHandler();
    const routes = context.getType() === 'http' ? cacheEvictRoutes.get(handler) : undefined;
    if (!routes?.length) return next.handle();
    const known = this.known.of(context, () => this.meet(context, routes));
    // A cache that does not exist stops the request here, and not once the handler has done its work.
    for (const route of routes) this.cacheOf(route, context);
    // What an interceptor further out has given as context holds now, and not where it subscribes.
    const here = new AsyncResource('CacheEvictInterceptor');
    const evictAll = async (when: Evicting['when'], result?: unknown): Promise<void> => {
      const due = routes.filter((route) => route.when === when);
      const evict = (route: Evicting): Promise<void> => this.evict(route, context, result);
      await Promise.all(due.map((route) => here.runInAsyncScope(evict, this, route)));
    };
    const isSse = Reflect.getMetadata(SSE_METADATA, handler) === true;
    const finish = isSse ? lastly : beforeLast;
    let way: Way | undefined;
    const run = (own: Way): Observable<unknown> => {
      way = own;
      return next.handle();
    };
    const handle = () => here.runInAsyncScope(lead, undefined, context, known, run);
    return defer(() => {
      let done: Promise<void> | undefined;
      // Once for each run of the handler: its own failure is an error of the request, too.
      const evictAfter = (result: unknown): Promise<void> => (done ??= evictAll('after', result));
      return from(evictAll('before')).pipe(
        mergeMap(() => finish(handle(), evictAfter)),
        tap({ error: () => evictWhenDone(way?.returned, evictAfter) }),
      );
    });
  }

  /** Of the first request of a handler. */
  private meet(context: ExecutionContext, [first]: readonly Evicting[]) {
    if (writesResponse(context.getClass(), context.getHandler()))
      this.warnings.once(first!.where, OWN_RESPONSE);
    const config = this.moduleRef.get(ApplicationConfig, { strict: false });
    const interceptors = interceptorsOf(context, config);
    return {
      endsWithHandler: endsWithHandler(CacheEvictInterceptor, interceptors, context.getHandler()),
    };
  }

  private cacheOf({ cache, where }: Evicting, context: ExecutionContext) {
    return this.caches.named(cache, { where, controller: context.getClass() });
  }

  private async evict(route: Evicting, context: ExecutionContext, result: unknown): Promise<void> {
    const { where, target, condition } = route;
    const cache = this.cacheOf(route, context);
    if (!cache) return;
    const failure = cache.options.evictFailure.decorators;
    try {
      if (condition && !(await condition(context, result))) return;
      const given = target.kind === 'all' ? [] : target.of.of(givenBy(context, result));
      const usable = given.filter((value) => isUsable(target.kind, value));
      if (usable.length < given.length) this.warnings.once(where, unusable(target.kind));
      await evictFrom(cache, route, usable, failure);
    } catch (error) {
      if (failure === 'throw') throw error;
      this.warnings.error(where, 'nothing was evicted', error);
    }
  }
}

type Kind = EvictTarget['kind'];

const OWN_RESPONSE =
  'the handler writes the response itself, which may be sent before anything is evicted: use @Res({ passthrough: true })';

/** What a request has no value for cannot be evicted; nor can a tag that no entry may have. */
const isUsable = (kind: Kind, value: unknown): boolean =>
  kind === 'tags' ? tagProblems([value]).length === 0 : value != null;

const unusable = (kind: Kind): string =>
  `a request has no usable value for one of the ${kind}, which is not evicted`;

/**
 * Holds each value back until there is a next one, and the last until `action` is done with it. The source goes on when nobody
 * waits for it any more: what the handler of a client that has hung up writes is written, and then `action` is due.
 */
function beforeLast(
  source: Observable<unknown>,
  action: (last: unknown) => Promise<void>,
): Observable<unknown> {
  return new Observable((out) => {
    const held: unknown[] = [];
    source.subscribe({
      next: (value) => {
        if (held.push(value) > 1) out.next(held.shift());
      },
      error: (error: unknown) => out.error(error),
      complete: () => {
        action(held[0]).then(
          () => {
            for (const value of held) out.next(value);
            out.complete();
          },
          (error: unknown) => out.error(error),
        );
      },
    });
  });
}

/** An interceptor has given up a handler that is still at work, or fails once that has worked: what it writes is written. */
function evictWhenDone(returned: Way['returned'], evict: (result: unknown) => Promise<void>): void {
  if (!returned || isOpen(returned.value)) return;
  Promise.resolve(returned.value)
    .then(evict)
    .catch(() => undefined); // reported where it failed
}

/** Nobody knows here whether it has done anything, and it may do it once more for whoever asks. */
const isOpen = (value: unknown): boolean =>
  isObservable(value) || (isPromiseLike(value) && !types.isPromise(value));

/** Events are not held back; `action` follows the last one, also where that is because the client has left. */
function lastly(
  source: Observable<unknown>,
  action: (last: unknown) => Promise<void>,
): Observable<unknown> {
  let last: unknown;
  const note = tap({
    next: (value: unknown) => (last = value),
    unsubscribe: () => void action(last).catch(() => undefined), // reported where it failed
  });
  return concat(source.pipe(note), defer(() => action(last)).pipe(ignoreElements()));
}
