/**
 * One process of a test of locks: a cache over the shared Redis that does what its parent says, one message after the
 * other, and says what has become of it.
 */
import { Redis } from 'ioredis';
import type { Lock } from '../../../lib/locks/held-lock.js';
import { assemble } from '../../../lib/module/assemble.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';

export type Order =
  | { do: 'hold'; name: string; ttl: number }
  | { do: 'wait'; name: string }
  /** Adds 1 to a number in Redis so many times, by reading and writing it under the lock. */
  | { do: 'count'; name: string; times: number }
  | { do: 'write'; resource: string; value: string }
  | { do: 'end' };

export type News =
  | { is: 'ready' | 'held' | 'lost' | 'over' }
  | { is: 'written' | 'refused' }
  | { is: 'counted'; steps: { token: string; number: number }[] };

const [url = '', namespace = ''] = process.argv.slice(2);
const options = { namespace, topology: { type: 'single' as const, url } };
const cache = assemble(resolveOptions(options, 'the worker'), { log: { warn: () => undefined } });
const database = new Redis(url);
let lock: Lock | undefined;

const tell = (news: News): void => void process.send!(news);

/** What a resource that checks fencing tokens does, in one atomic step. */
const FENCED_WRITE = `
if tonumber(redis.call('HGET', KEYS[1], 'token') or 0) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'value', ARGV[2])
return 1`;

async function count(name: string, times: number): Promise<News> {
  const steps: { token: string; number: number }[] = [];
  for (let i = 0; i < times; i++)
    await cache.locks.withLock(
      name,
      async ({ fencingToken }) => {
        const number = Number(await database.get(`count:${namespace}`)) + 1;
        await database.set(`count:${namespace}`, number);
        steps.push({ token: String(fencingToken), number });
      },
      { wait: '1m' },
    );
  return { is: 'counted', steps };
}

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case 'hold':
      lock = await cache.locks.acquire(order.name, { ttl: order.ttl });
      lock.signal.addEventListener('abort', () => tell({ is: 'lost' }));
      return tell({ is: 'held' });
    case 'wait':
      void cache.locks.acquire(order.name, { wait: Infinity }).catch(() => undefined);
      return;
    case 'count':
      return tell(await count(order.name, order.times));
    case 'write': {
      const token = String(lock!.fencingToken);
      const done = await database.eval(FENCED_WRITE, 1, order.resource, token, order.value);
      return tell({ is: done === 1 ? 'written' : 'refused' });
    }
    case 'end':
      await cache.close();
      database.disconnect();
      tell({ is: 'over' });
      process.disconnect();
  }
}

await cache.connect();
process.on('message', (order: Order) => void obey(order));
tell({ is: 'ready' });
