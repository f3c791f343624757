import { REQUEST_ROOTS, type Cached } from '../cache/decorated/compile.js';
import { CacheKeyError } from '../common/errors.js';
import { encodeArgs } from '../keys/encode-args.js';
import { describe, type Key } from '../keys/encode-key.js';
import type { Given, KeySource } from '../keys/key-source.js';
import { walk, type Source } from '../keys/sources.js';
import type { CacheOfCall } from './cache-of-call.js';
import type { Call, Place } from './wrap-method.js';

/** What keys, tags and patterns are made of in this call of a method, before it has run. */
export function givenByArgs({ args, instance }: Call): Given {
  return {
    lookup: ([position, ...path]) => walk(args[Number(position)], path),
    call: (fn) => fn.apply(instance, args),
  };
}

/** And when it has: `{result…}`, and the argument of functions behind all that the method declares. */
export function givenByBoth(call: Call, result: unknown): Given {
  const { args, instance, parameters, takesMore } = call;
  const { lookup } = givenByArgs(call);
  return {
    lookup: ([root, ...path]) =>
      root === 'result' ? walk(result, path) : lookup([root!, ...path]),
    call: (fn) => {
      // Optional arguments that were left out: none gets the result in its place. Nor is what the method does not take, as
      // job queues and `map` give it, in that of the result.
      const declared = Math.max(parameters, fn.length - 1);
      const taken = takesMore ? args : args.slice(0, declared);
      const missing = Array.from({ length: Math.max(0, declared - taken.length) });
      return fn.apply(instance, [...taken, ...missing, result]);
    },
  };
}

/** Throws `CacheKeyError` where a value is missing: no call shares the key of another one. */
export function keyFrom(source: KeySource, { where }: Place, given: Given): Key {
  const key = source.of(given);
  if (key == null) throw missing(where, 'key', source.paths);
  return key as Key;
}

/** Keys, tags or patterns; likewise. */
export function valuesFrom(source: Source, { where }: Place, given: Given): readonly unknown[] {
  const values = source.of(given);
  if (values.some((value) => value == null))
    throw missing(where, 'keys, tags or patterns', source.paths);
  return values;
}

/**
 * The tags of a value; undefined: a part of it names them, and it is null, so nobody could evict it. Throws `CacheKeyError`
 * where any other value is missing.
 */
export function tagsFrom(source: Source, place: Place, call: Call, value: unknown) {
  const namesResult = source.paths?.some(([root]) => root === 'result') ?? false;
  if (value == null && namesResult) return undefined;
  return valuesFrom(source, place, givenByBoth(call, value)) as readonly string[];
}

function missing(where: string, what: string, paths: Source['paths']): CacheKeyError {
  const named = (paths ?? []).map((path) => `{${path.join('.')}}`).join(', ');
  if (named === '') return new CacheKeyError(`${where}: the function for ${what} gives nothing`);
  if (paths!.some(([root]) => REQUEST_ROOTS.includes(root!)))
    return new CacheKeyError(
      `${where}: ${named} is a part of an HTTP request, and this call does not come from one; name arguments instead, as in {0.id}, or decorate the handler that overrides it`,
    );
  return new CacheKeyError(
    `${where}: ${named} has no value in this call, so there is no key; a value is a text, a finite number, a bigint or a boolean`,
  );
}

/**
 * The key of a call whose decorator has none: class, method and the arguments that count. The class is the instance's own, and
 * that of the decorated method as well where it is inherited, because a class may override the method and call it by `super`.
 *
 * Throws `CacheKeyError` for arguments of which no key can be made, and for two classes, or two symbols, that would have the same keys.
 */
export function defaultKey(call: Call, place: Place, cache: CacheOfCall, choice: Choice): Key {
  const own = (call.instance as object).constructor;
  const declaring = place.target.constructor;
  const method = String(place.name);
  const names = own === declaring ? [own.name, method] : [own.name, declaring.name, method];
  const owner = cache.ownerOf(names.join('.'), own);
  if (owner !== own)
    throw new CacheKeyError(
      `${place.where}: two classes of the name ${own.name} have such a method, and would have the same keys in one cache; give one of them a \`key\` or a \`namespace\``,
    );
  const { name } = place;
  if (typeof name === 'symbol' && cache.ownerOf(`${names.join('.')}()`, name) !== name)
    throw new CacheKeyError(
      `${place.where}: two methods of ${own.name} are named ${method}, and would have the same keys in one cache; give one of them a \`key\` or a \`namespace\``,
    );
  return [...names, encodeArgs(countingArgs(call, place, choice), place.where)];
}

type Choice = Cached['args'];

function countingArgs({ args, instance }: Call, { where }: Place, choice: Choice) {
  if (choice === undefined) return args;
  if (typeof choice !== 'function') return choice.map((position) => args[position]);
  const counting: unknown = choice.apply(instance, args);
  // Without members that can be counted, all calls would have one key.
  if (!Array.isArray(counting))
    throw new CacheKeyError(
      `${where}: the function for args gives ${describe(counting)}; accepted is an array of what counts`,
    );
  return counting as readonly unknown[];
}
