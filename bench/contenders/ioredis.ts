import type { RedisOptions } from 'ioredis';
import { getsTogether } from './coalesced.js';
import { miss, type OpenReader } from './reader.js';

const STORED_AT_ONCE = 1_000;

interface Way extends RedisOptions {
  /** With the JSON.parse that an application does with the text. */
  readonly parse: 'text' | 'json';
  /** Those of one tick as one MGET. */
  readonly together?: boolean;
}

/** GET by the raw client. */
export function ioredisGet(name: string, { parse, together, ...options }: Way): OpenReader {
  return async (bench, values) => {
    const client = bench.openClient(options);
    const prefix = `${bench.ownName()}:`;
    const entries = [...values];
    for (let i = 0; i < entries.length; i += STORED_AT_ONCE)
      await Promise.all(
        entries
          .slice(i, i + STORED_AT_ONCE)
          .map(([key, value]) => client.set(prefix + key, JSON.stringify(value))),
      );
    const get = together ? getsTogether(client) : (key: string) => client.get(key);
    const text = async (key: string): Promise<string> =>
      (await get(prefix + key)) ?? miss(name, key);
    return {
      name,
      read: parse === 'text' ? text : async (key) => JSON.parse(await text(key)) as unknown,
    };
  };
}
