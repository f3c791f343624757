import type { OptionProblem } from '../common/errors.js';
import { describeValue } from './describe-value.js';
import { fieldsOf, isObject } from './given-fields.js';
import { L1Options } from './nested.options.js';
import { CompressionOptions, EncryptionOptions } from './payload.options.js';
import { RedisCacheOptions } from './redis-cache.options.js';
import {
  ClusterTopologyOptions,
  MemoryTopologyOptions,
  ShardedTopologyOptions,
  ShardOptions,
  SingleTopologyOptions,
} from './topology.options.js';

const TOPOLOGIES: ReadonlyMap<unknown, new () => object> = new Map<unknown, new () => object>([
  ['memory', MemoryTopologyOptions],
  ['single', SingleTopologyOptions],
  ['sharded', ShardedTopologyOptions],
  ['cluster', ClusterTopologyOptions],
]);

/** Nested options that there are only where they are given. */
const OFF_BY_DEFAULT: ReadonlyMap<string, new () => object> = new Map<string, new () => object>([
  ['compression', CompressionOptions],
  ['encryption', EncryptionOptions],
]);

/** Options that are handed on as they are, to what looks at own fields alone, and ignores what it does not know. */
const HANDED_ON = new Set(['redis', 'cluster', 'refreshAhead']);
const ALL = { has: (name: string) => name !== 'constructor' };

/** Fields that belong to the registration and are easily put among the options. */
const REGISTRATION_FIELDS = ['name', 'isGlobal', 'extraProviders'];

/**
 * Copies what was given over the defaults of the option classes, and notes what has no place there. The fields of a
 * fresh instance are the options that exist; one whose default is itself an instance is filled likewise, and one whose
 * default is an array is a list of shards.
 */
export function fillOptions(given: unknown, problems: OptionProblem[]): RedisCacheOptions {
  const options = new RedisCacheOptions();
  if (isObject(given)) fill(options, given, '', problems);
  else
    problems.push({
      path: 'options',
      given: describeValue(given),
      accepted: 'an object; {} takes every default',
    });
  return options;
}

function fill(
  target: object,
  given: Record<string, unknown>,
  path: string,
  problems: OptionProblem[],
): void {
  const fields = target as Record<string, unknown>;
  const known = { has: (name: string) => Object.hasOwn(fields, name) };
  for (const [name, value] of Object.entries(fieldsOf(given, known))) {
    const at = path + name;
    if (!Object.hasOwn(fields, name))
      problems.push({
        path: at,
        given: describeValue(value, at),
        accepted: nothingBut(Object.keys(fields), name, path),
      });
    else if (name === 'url' && value === undefined && !given['redis'] && !given['client'])
      problems.push({ path: at, given: 'undefined', accepted: A_URL });
    else if (value !== undefined) {
      const Off = value === false ? undefined : OFF_BY_DEFAULT.get(at);
      const ofObject = HANDED_ON.has(name) && isObject(value) ? fieldsOf(value, ALL) : value;
      fields[name] = filled(Off ? new Off() : fields[name], ofObject, at, problems);
    }
  }
}

/** Not the local server, of which nobody has thought. */
const A_URL =
  'the URL of a Redis, perhaps of an environment variable that is not set; without the field, the local one';

function filled(slot: unknown, given: unknown, path: string, problems: OptionProblem[]): unknown {
  if (Array.isArray(slot)) return shardList(given, path, problems);
  return isNested(slot, given) ? nested(slot, given, path, problems) : given;
}

/** Undefined, for the list as for a shard in it: what was given is wrong as a whole, and has been noted. */
function shardList(
  given: unknown,
  path: string,
  problems: OptionProblem[],
): (ShardOptions | undefined)[] | undefined {
  if (Array.isArray(given))
    return given.map((shard, i) => shardOf(shard, `${path}[${i}]`, problems));
  problems.push({ path, given: describeValue(given), accepted: 'an array of shards' });
  return undefined;
}

function shardOf(
  given: unknown,
  path: string,
  problems: OptionProblem[],
): ShardOptions | undefined {
  const fields = typeof given === 'string' ? { url: given } : given;
  const shard = new ShardOptions();
  if (isObject(fields) && fields.url !== undefined) {
    fill(shard, fields, `${path}.`, problems);
    return shard;
  }
  const accepted = 'a URL, or an object of url, name, weight and redis, of which url is needed';
  problems.push({ path, given: describeValue(given), accepted });
  return undefined;
}

function isNested(slot: unknown, given: unknown): slot is object {
  return isObject(slot) && !(slot instanceof L1Options && given === false);
}

/** The nested options, or their defaults where what was given is no object and further errors would only repeat that. */
function nested(defaults: object, given: unknown, path: string, problems: OptionProblem[]): object {
  const target = defaults instanceof MemoryTopologyOptions ? topologyFor(given) : defaults;
  if (isObject(given) && target) {
    fill(target, given, `${path}.`, problems);
    return target;
  }
  const types = [...TOPOLOGIES.keys()].map((type) => `'${String(type)}'`).join(' or ');
  problems.push(
    isObject(given)
      ? { path: `${path}.type`, given: describeValue(given.type), accepted: types }
      : {
          path,
          given: describeValue(given, path),
          accepted: target
            ? `an object of ${Object.keys(target).join(', ')}`
            : `an object whose type is ${types}`,
        },
  );
  return defaults;
}

function topologyFor(given: unknown): object | undefined {
  const Variant = isObject(given) ? TOPOLOGIES.get(given.type) : undefined;
  return Variant && new Variant();
}

function nothingBut(known: readonly string[], name: string, path: string): string {
  if (path === '' && REGISTRATION_FIELDS.includes(name))
    return 'nothing: it is not an option here, but an argument of forRootAsync beside the factory';
  const near = known.find((option) => isNear(option.toLowerCase(), name.toLowerCase()));
  return `nothing: it is not an option here${near ? `; did you mean ${near}?` : `, where there are ${known.join(', ')}`}`;
}

/** At most two letters changed, added or missing, and not more than a third of the word. */
function isNear(a: string, b: string): boolean {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[b.length]! <= Math.min(2, Math.floor(a.length / 3));
}
