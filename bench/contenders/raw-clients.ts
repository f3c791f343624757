import type { RedisOptions } from 'ioredis';
import { peer } from '../peers.js';
import { foundIn, TTL_MS, type Cache, type OpenCache } from './cache.js';
import { getsTogether } from './coalesced.js';

/** What an application writes itself: JSON, and a `getOrSet` without anything that keeps loads apart. */
function withJson(
  name: string,
  client: {
    get(key: string): Promise<string | null>;
    set(key: string, text: string): Promise<unknown>;
    getMany(keys: string[]): Promise<(string | null)[]>;
  },
  prefix: string,
): Cache {
  const get = async (key: string): Promise<unknown> => {
    const text = await client.get(`${prefix}:${key}`);
    return text === null ? undefined : JSON.parse(text);
  };
  const set = (key: string, value: object): Promise<unknown> =>
    client.set(`${prefix}:${key}`, JSON.stringify(value));
  return {
    name,
    get,
    set,
    getOrSet: async (key, load) => {
      const found = await get(key);
      if (found !== undefined) return found;
      const value = await load();
      await set(key, value);
      return value;
    },
    getMany: async (keys) => {
      const texts = await client.getMany(keys.map((key) => `${prefix}:${key}`));
      return foundIn(texts.map((text) => text && (JSON.parse(text) as unknown)));
    },
  };
}

/** `together`: the GETs of one tick as one MGET. */
export function ioredis(
  name: string,
  { together, ...options }: RedisOptions & { together?: boolean } = {},
): OpenCache {
  return async (bench, tiers) => {
    if (tiers === 'both') return undefined;
    const client = bench.openClient(options);
    const commands = {
      get: together ? getsTogether(client) : (key: string) => client.get(key),
      set: (key: string, text: string) => client.set(key, text, 'PX', TTL_MS),
      getMany: (keys: string[]) => client.mget(keys),
    };
    return withJson(name, commands, bench.ownName());
  };
}

/** `tiers: 'both'` is its client-side cache, in which it keeps the text, and which the server keeps true. */
export const nodeRedis: OpenCache = async (bench, tiers) => {
  const redis = await peer('redis');
  if (!redis) return undefined;
  const cached = { clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } };
  const client = redis.createClient({
    url: bench.redisUrl,
    RESP: 3,
    ...(tiers === 'both' && cached),
  });
  client.on('error', () => undefined);
  await client.connect();
  bench.onClose(() => client.close());
  const commands = {
    get: (key: string) => client.get(key),
    set: (key: string, text: string) => client.set(key, text, { PX: TTL_MS }),
    getMany: (keys: string[]) => client.mGet(keys),
  };
  const name = tiers === 'both' ? 'node-redis, client-side cache' : 'node-redis';
  return withJson(name, commands, bench.ownName());
};
