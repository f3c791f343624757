import type { RedisOptions } from 'ioredis';
import { murmur3 } from '../common/hash.js';
import { addressOf, serverOf } from './server-of.js';
import type { ShardOptions } from './topology.options.js';

/** A shard as it was given, with its defaults. */
export interface ListedShard {
  readonly name: string;
  readonly weight: number;
  readonly url: string;
  readonly redis?: RedisOptions;
  /** As `serverOf` has it. */
  readonly server: string;
}

/** Throws a TypeError for a URL that is none. */
export function listedShard(given: string | ShardOptions): ListedShard {
  const { name, url, weight = 1, redis } = typeof given === 'string' ? { url: given } : given;
  const server = serverOf({ url, redis });
  return { name: name ?? addressOf(url), weight, url, redis, server };
}

/**
 * 32 bits that depend on the names and weights, and so on where which key lives. 0 for a single shard, as for a single
 * server: what that has stored is found under either.
 */
export function topologyIdOf(list: readonly ListedShard[]): number {
  if (list.length === 1) return 0;
  const texts = list.map(({ name, weight }) => (weight === 1 ? name : `${name} ${weight}`));
  return murmur3(texts.toSorted().join('\n')) || 1;
}
