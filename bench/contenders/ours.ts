import type { RedisCacheOptions } from '../../lib/module/redis-cache.options.js';
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
