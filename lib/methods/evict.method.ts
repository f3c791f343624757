import type { Evicting } from '../cache/decorated/compile.js';
import { evictFrom } from '../cache/decorated/evict-target.js';
import { CacheEvictError } from '../common/errors.js';
import type { Given } from '../keys/key-source.js';
import { CacheFinder, type CacheOfCall } from './cache-of-call.js';
import { givenByArgs, givenByBoth, valuesFrom } from './call-key.js';
import { resultOf, wrapMethod, type Call, type Place } from './wrap-method.js';

/** One `@CacheEvict` and where it finds its cache. */
interface Plan {
  readonly evicting: Evicting;
  readonly finder: CacheFinder;
}

/** What has no other decorator of ours in between shares a wrap: one evict that fails does not keep the others from acting. */
const plansOf = new WeakMap<object, Plan[]>();

/** Evicts when the method has succeeded, or before it runs; each that is written on the method, from the first to the last. */
export function wrapEvict(place: Place, evicting: Evicting): void {
  const plan = { evicting, finder: new CacheFinder(place, evicting) };
  const others = plansOf.get(place.descriptor.value as object);
  // Decorators are applied from the last to the first.
  if (others) return void others.unshift(plan);
  const plans = [plan];
  wrapMethod(place, (call) => {
    let due: Evict[];
    try {
      due = plans.flatMap(({ evicting, finder }) => {
        const cache = finder.of(call);
        return cache ? new Evict(place, call, { evicting, cache }) : [];
      });
    } catch (error) {
      return Promise.reject(error); // callers expect a promise
    }
    return due.length > 0 ? evictAround(place, call, due) : call.run();
  });
  plansOf.set(place.descriptor.value as object, plans);
}

async function evictAround(place: Place, call: Call, evicts: readonly Evict[]): Promise<unknown> {
  const [before, after] = (['before', 'after'] as const).map((when) =>
    evicts.filter((evict) => evict.when === when),
  );
  // What is known to be wrong is wrong before anything has happened.
  for (const evict of evicts) evict.prepare();
  await evictAll(before!, (evict) => evict.act(givenByArgs(call)));
  const result = await resultOf(place, call);
  try {
    await evictAll(after!, (evict) => evict.act(givenByBoth(call, result)));
  } catch (error) {
    if (!(error instanceof CacheEvictError)) throw error;
    // The method has done its work.
    const { failed, kind, cause } = error;
    throw new CacheEvictError(failed, { kind, cause, result });
  }
  return result;
}

/** All of them, in their order; throws what went wrong first. */
async function evictAll(
  evicts: readonly Evict[],
  act: (evict: Evict) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  for (const evict of evicts) await act(evict).catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

/** One evict of one call. */
class Evict {
  private values: readonly unknown[] | undefined;

  constructor(
    private readonly place: Place,
    private readonly call: Call,
    private readonly plan: { evicting: Evicting; cache: CacheOfCall },
  ) {}

  get when(): Evicting['when'] {
    return this.plan.evicting.when;
  }

  /** Makes what needs neither the result nor a condition. Throws `CacheKeyError` where a value is missing. */
  prepare(): void {
    const { target, condition } = this.plan.evicting;
    if (target.kind === 'all' || condition || !target.of.paths) return;
    if (target.of.paths.some(([root]) => root === 'result')) return;
    this.values = valuesFrom(target.of, this.place, givenByArgs(this.call));
  }

  async act(given: Given): Promise<void> {
    const { evicting, cache } = this.plan;
    const { target, condition } = evicting;
    if (condition && !(await given.call(condition))) return;
    const values =
      this.values ?? (target.kind === 'all' ? [] : valuesFrom(target.of, this.place, given));
    await evictFrom(cache.engine, evicting, values, cache.engine.options.evictFailure.decorators);
  }
}
