import type { RedisOptions } from 'ioredis';
import { miss, type OpenReader } from './reader.js';

const STORED_AT_ONCE = 1_000;

/** GET by the raw client. `parse`: with the JSON.parse that an application does with the text. */
export function ioredisGet(
  name: string,
  { parse, ...options }: RedisOptions & { parse: 'text' | 'json' },
): OpenReader {
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
    const text = async (key: string): Promise<string> =>
      (await client.get(prefix + key)) ?? miss(name, key);
    return {
      name,
      read: parse === 'text' ? text : async (key) => JSON.parse(await text(key)) as unknown,
    };
  };
}
