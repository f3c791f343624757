import { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import type { SingleTopologyOptions } from '../../../lib/redis/topology.options.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { RedisEntryStore } from '../../../lib/store/redis-entry-store.js';
import { waitFor } from '../../support/wait-for.js';
import { INSTANCE, type StoreBackend } from './store-backend.js';

/** A busy machine must not turn a slow answer into a failed test; what the deadlines do has tests of its own. */
const PATIENT_MS = 5_000;

export interface RedisBackend extends StoreBackend {
  /** A connection past the store. */
  readonly raw: Redis;
}

let runs = 0;

export async function redisBackend(
  options: Partial<SingleTopologyOptions> = {},
): Promise<RedisBackend> {
  const url = options.url ?? process.env.TEST_REDIS_URL!;
  const wakePrefix = `wake:${process.pid}:${runs++}:`;
  const topology = new SingleTopology(
    { ...options, type: 'single', url },
    { clock: systemClock, connectTimeoutMs: 2_000, onError: () => undefined },
  );
  await topology.connect();
  const guard = new CallGuard({ readMs: PATIENT_MS, writeMs: PATIENT_MS, clock: systemClock });
  const raw = new Redis(url);
  const subscriber = new Redis(url);
  const messages: string[] = [];
  await subscriber.psubscribe(`${wakePrefix}*`);
  subscriber.on('pmessage', (_pattern, channel: string, message: string) =>
    messages.push(`${channel.slice(wakePrefix.length)} ${message}`),
  );
  return {
    store: new RedisEntryStore(topology, { instance: INSTANCE, wakePrefix, guard }),
    instance: INSTANCE,
    raw,
    peek: (key) => raw.getBuffer(key),
    put: async (key, bytes) => {
      await (bytes ? raw.set(key, bytes) : raw.del(key));
    },
    wakes: async () => {
      // Messages arrive in order: once this one is there, so are all before it.
      await raw.publish(`${wakePrefix}fence`, 'x');
      await waitFor(() => messages.at(-1) === 'fence x', { intervalMs: 1 });
      messages.pop();
      return [...messages];
    },
    now: async () => {
      const [seconds, micros] = await raw.time();
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    },
    close: async () => {
      await Promise.all([raw.quit(), subscriber.quit(), topology.close()]);
    },
  };
}
