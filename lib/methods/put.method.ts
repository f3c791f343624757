import type { Cached } from '../cache/decorated/compile.js';
import { loadSettings, SET_OPTIONS, type SetOptions } from '../cache/entry.options.js';
import { keptMs } from '../cache/life.options.js';
import { CacheEvictError } from '../common/errors.js';
import type { Key } from '../keys/encode-key.js';
import type { Given } from '../keys/key-source.js';
import { parametersOf } from '../keys/parameters.js';
import { CacheFinder, type CacheOfCall } from './cache-of-call.js';
import { givenByArgs, givenByBoth, keyFrom, tagsFrom } from './call-key.js';
import { methodParameters } from './parameters.js';
import { keeping, notYetKept } from './super-calls.js';
import { valueOf, wrapMethod, type Call, type Place } from './wrap-method.js';

/** Always runs the method, and stores what it returns, so that no load that began before it can overwrite it. */
export function wrapPut(place: Place, cached: Cached): void {
  const method = new PutMethod(place, cached);
  wrapMethod(place, (call) => method.finder.around(call, (cache) => method.call(call, cache)));
}

type Context = Parameters<Parameters<CacheOfCall['service']['writeThrough']>[1]>[0];

class PutMethod {
  readonly finder: CacheFinder;
  private readonly options: SetOptions;
  /** Whether the key can be known before the method has run: then readers are held off while it does. */
  private readonly keyOf: 'args' | 'result';

  constructor(
    private readonly place: Place,
    private readonly cached: Cached,
  ) {
    this.finder = new CacheFinder(place, cached);
    this.options = Object.fromEntries(
      Object.entries(cached.options).filter(([name]) => name in SET_OPTIONS),
    );
    const { paths, computed } = cached.key!;
    const parameters = methodParameters(place.target, place.name, place.descriptor.value);
    const isOfResult = computed
      ? computed.length === 0 || parametersOf(computed) > parameters
      : paths.some(([root]) => root === 'result');
    this.keyOf = isOfResult ? 'result' : 'args';
  }

  async call(call: Call, cache: CacheOfCall): Promise<unknown> {
    const { condition, key } = this.cached;
    if (condition && !(await condition.apply(call.instance, call.args))) return call.run();
    const keyBy = (given: Given): Key => keyFrom(key!, this.place, given);
    const result = (): Promise<unknown> => valueOf(this.place, call);
    if (this.keyOf === 'args')
      return this.put(call, cache, { key: keyBy(givenByArgs(call)), result });
    const made = await result();
    const late = { key: keyBy(givenByBoth(call, made)), result: async () => made };
    return this.put(call, cache, late);
  }

  private async put(
    call: Call,
    { service, engine, space }: CacheOfCall,
    { key, result }: { key: Key; result: () => Promise<unknown> },
  ): Promise<unknown> {
    const { redisKey } = space.entry(key);
    const own = { owner: engine, names: [redisKey], call, place: this.place };
    if (notYetKept(own).length === 0) return result();
    const write = async (context: Context): Promise<unknown> => {
      const value = await keeping(own, result);
      await this.judge(call, { value, context, engine });
      return value;
    };
    try {
      return await service.writeThrough(key, write, this.options);
    } catch (error) {
      const isQueued =
        engine.options.evictFailure.decorators === 'queue' &&
        error instanceof CacheEvictError &&
        'result' in error;
      // The transaction has committed; the evict has been reported, and is retried.
      if (isQueued) return error.result;
      throw error;
    }
  }

  /** Whether, for how long and with which tags the value is stored. */
  private async judge(
    call: Call,
    { value, context, engine }: { value: unknown; context: Context; engine: CacheOfCall['engine'] },
  ): Promise<void> {
    const { unless, tags, options } = this.cached;
    const { cacheNull } = engine.options;
    if (await unless?.call(call.instance, value, ...call.args)) return context.skip();
    if (value === null) {
      if (!(options.cacheNull ?? cacheNull)) return context.skip();
      // As of a null that is loaded.
      const life = loadSettings(this.place.where, options, engine.options);
      context.setTtl(keptMs(value, undefined, life, engine.parts.clock.now()));
    }
    if (!tags) return;
    const own = tagsFrom(tags, this.place, call, value);
    if (own) context.setTags(own);
    else context.skip();
  }
}
