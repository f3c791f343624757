import type { RedisOptions } from 'ioredis';
import { murmur3 } from '../common/hash.js';
import type { ShardOptions } from './topology.options.js';

/** A shard as it was given, with its defaults. */
export interface ListedShard {
  readonly name: string;
  readonly weight: number;
  readonly url: string;
  readonly redis?: RedisOptions;
  /** Host, port and database, without credentials: equal for two shards that are one and the same server. */
  readonly server: string;
}

/** Throws a TypeError for a URL that is none. */
export function listedShard(given: string | ShardOptions): ListedShard {
  const { name, url, weight = 1, redis } = typeof given === 'string' ? { url: given } : given;
  const { place, db = redis?.db ?? 0 } = placeOf(url);
  const server = redis?.sentinels ? `sentinel ${redis.name}` : place;
  return { name: name ?? place, weight, url, redis, server: `${server}/${db}` };
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

function placeOf(url: string): { place: string; db?: string } {
  const withScheme = url.replace(/^(?=\/)/, 'unix://');
  const { protocol, hostname, port, pathname, searchParams } = new URL(withScheme);
  if (!/^(rediss?|unix):$/.test(protocol)) throw new TypeError('no URL of a Redis server');
  const db = searchParams.get('db') ?? undefined;
  if (hostname === '') return { place: pathname, db };
  return {
    place: `${hostname.toLowerCase()}:${port || 6379}`,
    db: pathname.slice(1) || db,
  };
}
