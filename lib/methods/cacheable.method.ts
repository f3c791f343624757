import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { Cached } from '../cache/decorated/compile.js';
import type { CacheEngine } from '../cache/cache-engine.js';
import { identity } from '../cache/decorated/decorated-method.js';
import { loadSettings, type LoadOptions, type LoadSettings } from '../cache/entry.options.js';
import type { LoadContext } from '../cache/read/load-context.js';
import type { Loader } from '../cache/read/loader-run.js';
import { isCacheError } from '../common/errors.js';
import type { Key } from '../keys/encode-key.js';
import { CacheFinder, type CacheOfCall } from './cache-of-call.js';
import { defaultKey, givenByArgs, keyFrom, tagsFrom } from './call-key.js';
import { valueOf, wrapMethod, type Call, type Place } from './wrap-method.js';

/** Has the method's results come from the cache; a miss runs it, once in the whole cluster. */
export function wrapCacheable(place: Place, cached: Cached): void {
  const method = new CacheableMethod(place, cached);
  wrapMethod(place, (call) => method.finder.around(call, (cache) => method.call(call, cache)));
}

class CacheableMethod {
  readonly finder: CacheFinder;
  /** Undefined where nothing is said: the cache answers a little faster then. */
  private readonly options: LoadOptions | undefined;
  private readonly settings = new WeakMap<CacheEngine, LoadSettings>();

  constructor(
    private readonly place: Place,
    private readonly cached: Cached,
  ) {
    this.finder = new CacheFinder(place, cached, (own) => isOtherHandler(own, place));
    const { options } = cached;
    this.options = Object.values(options).some((v) => v !== undefined) ? options : undefined;
  }

  async call(call: Call, cache: CacheOfCall): Promise<unknown> {
    const { condition } = this.cached;
    if (condition && !(await condition.apply(call.instance, call.args))) return call.run();
    const key = this.keyOf(call, cache);
    let begun = false;
    const load = (context: LoadContext): Promise<unknown> => {
      begun = true;
      return this.load(call, context);
    };
    try {
      return await this.getOrSet(cache, key, load);
    } catch (error) {
      // A method that overrides this one, has the same key, and calls it while it is loading: it is a part of that load.
      if (!begun && call.isSuper() && isNestedLoad(error)) return call.run();
      throw error;
    }
  }

  /** As `CacheService.getOrSet`, without looking at the same options with each call. */
  private async getOrSet({ service, engine, space }: CacheOfCall, key: Key, loader: Loader) {
    if (!this.options) return service.getOrSet(key, loader);
    let settings = this.settings.get(engine);
    if (!settings) {
      settings = loadSettings(this.place.where, this.options, engine.options);
      this.settings.set(engine, settings);
    }
    const request = { key: space.entry(key), kind: 'value', loader, settings } as const;
    return (await engine.load(request)).value.take();
  }

  private keyOf(call: Call, cache: CacheOfCall): Key {
    const { key, args } = this.cached;
    return key
      ? keyFrom(key, this.place, givenByArgs(call))
      : defaultKey(call, this.place, cache, args);
  }

  private async load(call: Call, context: LoadContext): Promise<unknown> {
    const result = await valueOf(this.place, call);
    const { tags, unless } = this.cached;
    if (await unless?.call(call.instance, result, ...call.args)) context.skip();
    else if (tags) {
      const own = tagsFrom(tags, this.place, call, result);
      if (own) context.setTags(own);
      else context.skip();
    }
    return result;
  }
}

/**
 * Of the decorated handler of an HTTP request, an override that is one as well, and not decorated: what it calls by `super` may
 * be for one user, of whom no interceptor has asked.
 */
const isOtherHandler = (own: object, { descriptor }: Place): boolean =>
  !identity.get(own) &&
  [own, descriptor.value as object].every((method) => Reflect.hasMetadata(PATH_METADATA, method));

const isNestedLoad = (error: unknown): boolean =>
  isCacheError(error) && error.code === 'ERR_CACHE_NESTED_LOAD';
