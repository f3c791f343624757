import { Logger, type Type } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { engineOf, type CacheService } from '../cache/cache.service.js';
import { notRegistered } from '../cache/decorated/option-rules.js';
import { DEFAULT_CACHE, getCacheToken } from '../common/tokens.js';
import type { HttpCache } from './http-cache.js';

/**
 * The caches of this application by their names, looked up when a request first needs one. For a decorated handler it is that
 * of the controller's own module where it has one, as it is for methods; else one that is imported anywhere.
 */
export class Caches {
  /** By controller; bounded by the application's routes. */
  private readonly homes = new WeakMap<Type, Home>();

  /** `own`: what Nest injects for `CacheService`, if anything. */
  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly own: CacheService | undefined,
  ) {}

  /**
   * Undefined where a test has put something else in the place of the service. Throws `CacheOptionsError` where no cache of
   * that name is registered.
   */
  named(name: string, { where, controller }: Asking): HttpCache | undefined {
    const { found } = this.homeOf(controller);
    if (!found.has(name)) found.set(name, engineOf(this.service(name, { where, controller })));
    return found.get(name);
  }

  private service(name: string, { where, controller }: Asking): CacheService {
    const token = getCacheToken(name);
    const injected = this.injectedInto(controller, token);
    if (injected) return injected;
    if (this.own && name === DEFAULT_CACHE) return this.own;
    try {
      return this.moduleRef.get<CacheService>(token, { strict: false });
    } catch (cause) {
      throw Object.assign(notRegistered(where, name), { cause });
    }
  }

  /** Whether another interceptor knows better of which module that controller is, of a class that several have. */
  isOfAnother(controller: Type): boolean {
    return this.homeOf(controller).isUnsure;
  }

  private injectedInto(controller: Type, token: symbol): CacheService | undefined {
    const { wrapper } = this.homeOf(controller);
    return wrapper && injectedBy(token, wrapper);
  }

  private homeOf(controller: Type): Home {
    let home = this.homes.get(controller);
    if (!home) {
      home = { ...this.findHome(controller), found: new Map() };
      this.homes.set(controller, home);
    }
    return home;
  }

  private findHome(controller: Type): Omit<Home, 'found'> {
    let discovery: DiscoveryService;
    try {
      discovery = this.moduleRef.get(DiscoveryService, { strict: false });
    } catch {
      return { isUnsure: false }; // nor is there a cache then
    }
    const all = discovery.getControllers().filter(({ metatype }) => metatype === controller);
    const own = all.find(
      ({ host }) => host?.getProviderByKey(ModuleRef).instance === this.moduleRef,
    );
    return { wrapper: own ?? all[0], isUnsure: !own && all.length > 1 };
  }
}

/**
 * What the decorators have had Nest inject into the instances of a controller or provider, if anything. Not asked of an instance: of
 * some there is one for each request.
 */
export function injectedBy(token: symbol, wrapper: Wrapper): CacheService | undefined {
  const properties = wrapper.getPropertiesMetadata() ?? [];
  // Nest injects the last one; in some versions of 11 there are several.
  return properties.findLast(({ key }) => key === token)?.wrapper.instance as
    CacheService | undefined;
}

/** The controller in its module. */
interface Home {
  readonly wrapper?: Wrapper | undefined;
  /** Several modules have one of that class, and this interceptor is of none of them. */
  readonly isUnsure: boolean;
  /** Its caches, by their names. */
  readonly found: Map<string, HttpCache | undefined>;
}

/** Whose cache is wanted, and `@Cacheable on CatsController.show` for messages. */
interface Asking {
  readonly where: string;
  readonly controller: Type;
}

type Wrapper = ReturnType<DiscoveryService['getControllers']>[number];

/** Says each thing once. Bounded by the number of decorated handlers times the things there are to say of one. */
export class Warnings {
  private readonly logger = new Logger('RedisCacheModule');
  private readonly said = new Set<string>();

  /** `cause` may differ each time, and does not count. */
  once(where: string, text: string, cause?: unknown): void {
    const message = `${where}: ${text}`;
    if (this.said.has(message)) return;
    this.said.add(message);
    this.logger.warn(cause instanceof Error ? `${message} (${cause.message})` : message);
  }

  error(where: string, text: string, error: unknown): void {
    this.logger.error(`${where}: ${text}`, error instanceof Error ? error.stack : String(error));
  }
}
