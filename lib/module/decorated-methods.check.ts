import { Logger, type OnModuleInit, type Provider, type Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';

import { identity, places } from '../cache/decorated/decorated-method.js';
import { CacheOptionsError } from '../common/errors.js';
import { shown } from '../common/option-checks.js';
import { getCacheToken } from '../common/tokens.js';
import { injectedBy } from '../http/caches.js';
import { cacheableRoute, type CacheableRoute } from '../http/http.options.js';
import { parametersOf } from '../http/route.js';
import { adopt } from '../methods/injection.js';

/** Options of loads that responses do not have: nobody could run a handler again, and they are bytes already. */
const OF_VALUES = [
  'grace',
  'staleWhileRevalidate',
  'refreshAhead',
  'serializer',
  'schema',
] as const;

const OF_A_REQUEST =
  'its provider is made anew for each request, of which the default key knows nothing: what one user gets, others would get; say by `key` or `args` what counts';

/** What a handler is given of a request that is neither in its URL nor tells a user from others, as far as we know. */
const BESIDE_THE_URL: Readonly<Record<number, string>> = {
  [RouteParamtypes.HEADERS]: '@Headers()',
  [RouteParamtypes.SESSION]: '@Session()',
  [RouteParamtypes.IP]: '@Ip()',
};

const unkeyed = (what: string): string =>
  `${what}, of which the default key knows nothing: what one client gets, others would get; say by http.varyBy or key what counts, or http: { shared: true } where nothing does`;

const sharing = (key: string, first: string): string =>
  `its key ${key} is that of ${first} as well: each of the two is answered with what the other has stored; give it a key of its own`;

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/**
 * Looks at the decorated methods of one application, at the start, because a decorator itself cannot know whether what it
 * decorates is a handler of HTTP requests, or of what scope its provider is. Throws `CacheOptionsError` for options that have no
 * effect on a handler; warns of default keys that leave out what an instance knows of its request.
 */
class DecoratedMethodsCheck implements OnModuleInit {
  private readonly logger = new Logger('RedisCacheModule');
  /** The handler that was the first to have a key. */
  private readonly keyed = new Map<string, string>();

  constructor(
    private readonly cache: { readonly name: string; readonly service: unknown },
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly moduleRef: ModuleRef,
  ) {}

  onModuleInit(): void {
    for (const controller of this.discovery.getControllers()) {
      assertKept(prototypeOf(controller));
      for (const [handler, route] of this.decorated(controller))
        if (Reflect.hasMetadata(PATH_METADATA, handler)) {
          assertOfResponses(route);
          this.warnOfClients(controller, handler, route);
          this.warnOfSharing(controller, handler, route);
        } else this.warnOfRequests(controller, route);
    }
    for (const provider of this.discovery.getProviders()) {
      adopt(provider.instance, this.moduleRef);
      for (const [, route] of this.decorated(provider)) this.warnOfRequests(provider, route);
    }
  }

  /** The methods with `@Cacheable` or `@CachePut` that name this cache, and not one of that name which their module has for itself. */
  private decorated(wrapper: Wrapper): [method: object, CacheableRoute][] {
    const { name: cache, service } = this.cache;
    if ((injectedBy(getCacheToken(cache), wrapper) ?? service) !== service) return [];
    const methods = prototypeOf(wrapper);
    return (methods ? this.scanner.getAllMethodNames(methods) : []).flatMap((name) => {
      const route = cacheableRoute.get(methods![name]!);
      return route?.cache === cache ? [[methods![name]!, route]] : [];
    });
  }

  private warnOfRequests(wrapper: Wrapper, { key, args, where }: CacheableRoute): void {
    if (key || args || wrapper.isDependencyTreeStatic()) return;
    this.logger.warn(`${where}: ${OF_A_REQUEST}`);
  }

  private warnOfClients(wrapper: Wrapper, handler: object, route: CacheableRoute): void {
    if (route.key || route.http.shared || route.http.varyBy) return;
    const taken = parametersOf(wrapper.metatype as Type, handler as { name: string });
    const what = taken.map((one) => BESIDE_THE_URL[one]).find((each) => each !== undefined);
    if (what) this.logger.warn(`${route.where}: ${unkeyed(`it takes ${what}`)}`);
    else if (!wrapper.isDependencyTreeStatic())
      this.logger.warn(
        `${route.where}: ${unkeyed('its controller is made anew for each request')}`,
      );
  }

  /** As written: of what a function gives nobody knows here. */
  private warnOfSharing({ name }: Wrapper, handler: object, route: CacheableRoute): void {
    const key = JSON.stringify(route.key?.written);
    if (key === undefined || route.kind !== 'load' || route.http.varyBy) return;
    const own = `${String(name)}.${(handler as { name: string }).name}`;
    const id = `${route.namespace ?? ''}:${key}`;
    const first = this.keyed.get(id) ?? own;
    this.keyed.set(id, first);
    if (first !== own) this.logger.warn(`${route.where}: ${sharing(key, first)}`);
  }
}

type Methods = Record<string | symbol, object>;

const prototypeOf = ({ metatype }: Wrapper): Methods | undefined =>
  (metatype as { prototype?: Methods } | null)?.prototype;

/**
 * A handler that another decorator has replaced, and not noted on it what is noted on the method, has none of our interceptors: the
 * wrap inside would act, which knows nothing of requests, and give one user what another was answered.
 */
function assertKept(methods: Methods | undefined): void {
  if (!methods) return;
  const written = places.get(methods) ?? {};
  for (const name of Reflect.ownKeys(written)) {
    // Not by its name: a decorator may have put a getter there.
    const method: unknown = Object.getOwnPropertyDescriptor(methods, name)?.value;
    if (typeof method !== 'function' || identity.get(method)) continue;
    if (!Reflect.hasMetadata(PATH_METADATA, method)) continue;
    throw new CacheOptionsError(written[name]!, [
      {
        path: 'the method',
        given: 'replaced by another decorator above, without what others have noted on it',
        accepted: 'that decorator below, or one that copies the metadata of the method',
      },
    ]);
  }
}

function assertOfResponses({ options, where }: CacheableRoute): void {
  const problems = OF_VALUES.filter((path) => options[path]).map((path) => ({
    path,
    given: shown(options[path]),
    accepted: 'not on a handler of HTTP requests, where it has no effect',
  }));
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
}

/** For the methods that name this cache. */
export const decoratedMethodsCheck = (name: string): Provider => ({
  provide: DecoratedMethodsCheck,
  useFactory: (
    service: unknown,
    discovery: DiscoveryService,
    scanner: MetadataScanner,
    moduleRef: ModuleRef,
  ) => new DecoratedMethodsCheck({ name, service }, discovery, scanner, moduleRef),
  inject: [getCacheToken(name), DiscoveryService, MetadataScanner, ModuleRef],
});
