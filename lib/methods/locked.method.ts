import { attempt } from '../cache/decorated/compile.js';
import { aCacheName } from '../cache/decorated/option-rules.js';
import { CacheOptionsError, isCacheError, type OptionProblem } from '../common/errors.js';
import * as check from '../common/option-checks.js';
import { DEFAULT_CACHE, getLockToken } from '../common/tokens.js';
import { ARGUMENT, compileTemplate } from '../keys/key-source.js';
import { computedFrom, textsFrom, type Source } from '../keys/sources.js';
import type { Lock } from '../locks/held-lock.js';
import { LOCK_OPTIONS, type LockOptions } from '../locks/lock.options.js';
import type { LockNames, LockProvider } from '../locks/lock.provider.js';
import { givenByArgs, valuesFrom } from './call-key.js';
import { injectedInto, injectInto, noneFor, type Wanted } from './injection.js';
import { keeping, notYetKept } from './super-calls.js';
import { resultOf, wrapMethod, type Call, type Place } from './wrap-method.js';

/** Options of `@Locked`. */
export interface LockedOptions extends Omit<LockOptions, 'signal'> {
  /**
   * The name of the lock: a literal, a template of arguments such as `'import:{0.id}'`, or a function of the arguments; several
   * names are held all or none. Default: class and method, whatever the arguments.
   */
  key?: LockNames | ((...args: any[]) => LockNames);
  /**
   * What becomes of a call while others hold the lock. 'throw': it waits for `wait`, then rejects with `LockTimeoutError`.
   * 'skip': the method does not run, and the call gives undefined; it waits only if `wait` says so. Default 'throw'.
   */
  onBusy?: 'throw' | 'skip';
  /** Stops the waiting of one call, with the signal's reason. */
  signal?: (...args: any[]) => AbortSignal | undefined;
  /** The `name` of the cache whose Redis has the lock. Default: the unnamed one. */
  cache?: string;
}

const RULES: check.Rules<LockedOptions> = {
  ttl: LOCK_OPTIONS.ttl,
  wait: LOCK_OPTIONS.wait,
  key: {
    accepted: 'a name, a template, an array of them, or a function',
    ok: (v) => typeof v === 'function' || isSomeNames([v].flat()),
  },
  onBusy: { accepted: "'throw' or 'skip'", ok: (v) => v === 'throw' || v === 'skip' },
  signal: check.aFunction,
  cache: aCacheName,
};

const isSomeNames = (names: unknown[]): boolean =>
  names.length > 0 && names.every((name) => typeof name === 'string' && name !== '');

/** Has the method run once at a time in the whole cluster. Throws `CacheOptionsError` that lists everything that is wrong. */
export function wrapLocked(place: Place, options: LockedOptions): void {
  const method = new LockedMethod(place, options);
  // No interceptor does this.
  wrapMethod(place, (call) => method.call(call), 'acts');
}

class LockedMethod {
  private readonly names: Source | undefined;
  private readonly wanted: Wanted;

  constructor(
    private readonly place: Place,
    private readonly options: LockedOptions,
  ) {
    const problems = check.problemsOf(options, RULES);
    this.names = namesFrom(options?.key, problems);
    if (problems.length > 0) throw new CacheOptionsError(place.where, problems);
    const { cache = DEFAULT_CACHE } = options;
    this.wanted = { token: getLockToken(cache), cache, where: place.where };
    injectInto(place.target, this.wanted.token);
  }

  async call(call: Call): Promise<unknown> {
    const locks = injectedInto<LockProvider>(call.instance, this.wanted);
    // Unlike a cache that is missing, this would not only be slower.
    if (!locks) throw noneFor(call.instance, this.wanted);
    const own = { owner: locks, names: this.namesOf(call), call, place: this.place };
    const run = (): Promise<unknown> => resultOf(this.place, call);
    const names = notYetKept(own);
    // None at all is a mistake that the provider knows of.
    if (names.length === 0 && own.names.length > 0) return run();
    const lock = await this.take(locks, names, call);
    if (!lock) return undefined;
    try {
      return await keeping(own, run);
    } finally {
      await lock[Symbol.asyncDispose]();
    }
  }

  /** Undefined: others hold it, and the call is to be skipped. */
  private async take(locks: LockProvider, names: LockNames, call: Call): Promise<Lock | undefined> {
    const { ttl, wait, onBusy } = this.options;
    const own = { ttl, signal: this.options.signal?.apply(call.instance, call.args) };
    if (onBusy !== 'skip') return locks.acquire(names, { ...own, wait });
    if (wait === undefined) return locks.tryAcquire(names, own);
    try {
      return await locks.acquire(names, { ...own, wait });
    } catch (error) {
      if (isCacheError(error) && error.code === 'ERR_CACHE_LOCK_TIMEOUT') return undefined;
      throw error;
    }
  }

  private namesOf(call: Call): readonly string[] {
    if (this.names) return valuesFrom(this.names, this.place, givenByArgs(call)) as string[];
    return [`${(call.instance as object).constructor.name}.${String(this.place.name)}`];
  }
}

function namesFrom(given: LockedOptions['key'], problems: OptionProblem[]): Source | undefined {
  if (given === undefined || !RULES.key.ok(given)) return undefined;
  if (typeof given === 'function') return computedFrom(given);
  const templates = [given].flat().map((text, i) => {
    const path = Array.isArray(given) ? `key[${i}]` : 'key';
    return attempt(path, problems, () => compileTemplate(text as string, [ARGUMENT])) ?? [];
  });
  return textsFrom(templates.flat());
}
