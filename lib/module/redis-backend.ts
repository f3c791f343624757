import type { Redis } from 'ioredis';
import { Publisher } from '../bus/publisher.js';
import { RedisBus, type Bus } from '../bus/redis-bus.js';
import { RedisLockStore } from '../locks/redis-lock-store.js';
import { SingleTopology } from '../redis/single.topology.js';
import type { RedisClient, Shard } from '../redis/topology.js';
import type { SingleTopologyOptions } from '../redis/topology.options.js';
import { CallGuard } from '../resilience/call-guard.js';
import { RedisEntryStore } from '../store/redis-entry-store.js';
import { RedisTagTable } from '../tags/redis-tag-table.js';
import type { Backend, BackendParts } from './backend.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

export function createRedisBackend(
  { timeouts, namespace }: ResolvedCacheOptions,
  topology: SingleTopologyOptions,
  { clock, ids, wakeups, reporter, sink }: BackendParts,
): Backend {
  const { instance } = ids;
  const redis = new SingleTopology(topology, {
    clock,
    connectTimeoutMs: timeouts.connectMs,
    onError: (error) => reporter.report('connection', undefined, error),
  });
  if (topology.client && repeatsCommands(redis.shards()[0]!.client))
    reporter.warn(
      'client',
      'the given Redis client repeats commands after a reconnect: set its autoResendUnfulfilledCommands to false, or an evict that falls into a reconnect may not be final',
    );
  const guard = new CallGuard({ readMs: timeouts.readMs, writeMs: timeouts.writeMs, clock });
  const wakePrefix = `${namespace}:w:`;
  const channel = `${namespace}:i`;
  const publisher = new Publisher({
    channel,
    instance,
    clock,
    // Whoever misses it notices at the next message.
    publish: (connection, { message }) =>
      void publish(connection as RedisClient, message).catch(() => undefined),
  });
  const publish = (client: RedisClient, message: string): Promise<number> =>
    guard.run('write', 'publish', () => client.publish(channel, message));
  const createBus = (shard: Shard): Bus =>
    new RedisBus({
      shard,
      createClient: () => redis.createPubSubClient(shard),
      namespace,
      channel: wakePrefix + instance,
      invalidations: { channel, instance, publisher, sink },
      wakeups,
      guard,
      clock,
      answerMs: timeouts.connectMs,
      onError: (operation, error) => reporter.report(operation, undefined, error),
    });
  const buses = redis.shards().map(createBus);
  return {
    store: new RedisEntryStore(redis, { instance, wakePrefix, guard, announcer: publisher }),
    lockStore: new RedisLockStore(redis, { wakePrefix, guard }),
    tags: new RedisTagTable(redis, { guard }),
    buses,
    announce: async (invalidation) => {
      const tell = ({ client }: Shard): Promise<number> =>
        publish(client, publisher.announce(client, invalidation).message);
      await Promise.all(redis.shards().map(tell));
    },
    // Nobody waits for the bus: without it waiters are woken by timers, and no copies are kept.
    connect: () => {
      for (const bus of buses) bus.start();
      return redis.connect();
    },
    close: async () => {
      publisher.close();
      await Promise.all(buses.map((bus) => bus.close()));
      await redis.close();
    },
  };
}

function repeatsCommands(client: RedisClient): boolean {
  return (client as Redis).options.autoResendUnfulfilledCommands !== false;
}
