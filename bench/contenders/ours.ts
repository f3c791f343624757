import type { RedisCacheOptions } from '../../lib/module/redis-cache.options.js';
import type { OpenCache } from './cache.js';
import { untilLive } from './live.js';
import { miss, type OpenReader } from './reader.js';

const STORED_AT_ONCE = 1_000;

/** `get` of this cache. */
export function ours(name: string, options: Partial<RedisCacheOptions>): OpenReader {
  return async (bench, values) => {
    const { service } = await bench.openCache({ ttl: '1h', ...options });
    const entries = [...values];
    for (let i = 0; i < entries.length; i += STORED_AT_ONCE)
      await service.setMany(entries.slice(i, i + STORED_AT_ONCE));
    return { name, read: async (key) => (await service.get(key)) ?? miss(name, key) };
  };
}

/** With copies in the process its listener hears the messages of other processes, as it does by default. */
export const oursCache: OpenCache = async (bench, tiers) => {
  const cache = await bench.openCache({ ttl: '1h', ...(tiers === 'redis' && { l1: false }) });
  await untilLive(cache);
  const { service } = cache;
  return {
    name: 'nestjs-redis-cache',
    get: (key) => service.get(key),
    set: (key, value) => service.set(key, value),
    getOrSet: (key, load) => service.getOrSet(key, load),
    getMany: async (keys) => (await service.getMany(keys)).size,
  };
};
