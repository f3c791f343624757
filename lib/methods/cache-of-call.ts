import type { CacheEngine } from '../cache/cache-engine.js';
import { engineOf, type CacheService } from '../cache/cache.service.js';
import { noCache } from '../cache/decorated/decorated-method.js';
import { getCacheToken } from '../common/tokens.js';
import type { KeySpace } from '../keys/key-space.js';
import { injectedInto, injectInto } from './injection.js';
import type { Call, Place } from './wrap-method.js';

/** The cache of an instance, in the namespace of the decorator. */
export class CacheOfCall {
  readonly service: CacheService;
  readonly space: KeySpace;

  constructor(
    root: CacheService,
    readonly engine: CacheEngine,
    private readonly namespace: string | undefined,
  ) {
    this.service = namespace === undefined ? root : root.namespace(namespace);
    this.space = engine.keySpace(namespace);
  }

  /** The first class, or symbol, that has used this name for its keys: in this cache and namespace, for as long as the cache lives. */
  ownerOf(name: string, claimant: object | symbol): object | symbol {
    const names = owners.get(this.engine) ?? new Map<string, object | symbol>();
    owners.set(this.engine, names);
    const own = `${this.namespace ?? ''}:${name}`;
    const owner = names.get(own) ?? claimant;
    names.set(own, owner);
    return owner;
  }
}

/** Bounded by the decorated methods of the application. */
const owners = new WeakMap<CacheEngine, Map<string, object | symbol>>();

/** How one decorated method finds its cache. */
export class CacheFinder {
  private readonly token: symbol;
  private readonly found = new WeakMap<CacheService, CacheOfCall>();
  /** By class: whether its instances are kept out of the cache. */
  private readonly excluded = new WeakMap<object, boolean>();

  constructor(
    private readonly place: Place,
    private readonly choice: { readonly cache: string; readonly namespace: string | undefined },
    /** Whether this method keeps out what it overrides. */
    private readonly keepsOut: (overriding: object) => boolean = () => false,
  ) {
    this.token = getCacheToken(choice.cache);
    injectInto(place.target, this.token);
  }

  /** `act` with the cache; without one the method runs as if it were not decorated. */
  around(call: Call, act: (cache: CacheOfCall) => Promise<unknown>): unknown {
    let cache;
    try {
      cache = this.isExcluded(call) ? undefined : this.of(call);
    } catch (error) {
      return Promise.reject(error); // callers expect a promise
    }
    return cache ? act(cache) : call.run();
  }

  /** Undefined: there is none, or a test has put something else in its place. */
  of({ instance }: Call): CacheOfCall | undefined {
    const { cache, namespace } = this.choice;
    const wanted = { token: this.token, cache, where: this.place.where };
    const service = injectedInto<CacheService>(instance, wanted);
    if (service === undefined) return undefined;
    const known = this.found.get(service);
    if (known) return known;
    const engine = typeof service === 'object' ? engineOf(service) : undefined;
    if (!engine) return undefined;
    const made = new CacheOfCall(service, engine, namespace);
    this.found.set(service, made);
    return made;
  }

  /** `@NoCache()` on the method, on one that overrides it, or on the class. */
  private isExcluded({ instance }: Call): boolean {
    if (instance == null) return false;
    const { constructor, [this.place.name]: method } = instance as Record<string | symbol, object>;
    let excluded = this.excluded.get(constructor!);
    if (excluded === undefined) {
      excluded = [this.place.descriptor.value as object, method, constructor].some(
        (target) => target !== undefined && noCache.get(target) === true,
      );
      if (typeof method === 'function') excluded ||= this.keepsOut(method);
      this.excluded.set(constructor!, excluded);
    }
    return excluded;
  }
}
