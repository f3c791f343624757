import type { Redis } from 'ioredis';
import { JointSink } from '../bus/joint-sink.js';
import { Publisher } from '../bus/publisher.js';
import { RedisBus, type Bus, type RedisBusOptions } from '../bus/redis-bus.js';
import { Tracking } from '../bus/tracking.js';
import { RedisLockStore } from '../locks/redis-lock-store.js';
import { createTopology } from '../redis/create-topology.js';
import type { RedisClient, Shard } from '../redis/topology.js';
import type { ServerTopologyOptions } from '../redis/topology.options.js';
import { CallGuard } from '../resilience/call-guard.js';
import { RedisEntryStore } from '../store/redis-entry-store.js';
import { RedisTagTable } from '../tags/redis-tag-table.js';
import type { Backend, BackendParts } from './backend.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

export function createRedisBackend(
  options: ResolvedCacheOptions,
  topology: ServerTopologyOptions,
  parts: BackendParts,
): Backend {
  const { timeouts, namespace } = options;
  const { clock, ids, reporter } = parts;
  const { instance } = ids;
  const redis = createTopology(topology, {
    clock,
    connectTimeoutMs: timeouts.connectMs,
    onError: (error) => reporter.report('connection', undefined, error),
  });
  if (topology.type === 'single' && topology.client && redis.connections().some(repeatsCommands))
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
  const perShard = redis.shards().map((shard) => {
    const createClient = (): Redis => redis.createPubSubClient(shard);
    return createListeners(options, parts, { shard, createClient, guard, publisher, wakePrefix });
  });
  const buses = perShard.map(({ bus }) => bus);
  const listeners = [...buses, ...perShard.flatMap(({ tracking }) => tracking ?? [])];
  return {
    store: new RedisEntryStore(redis, { instance, wakePrefix, guard, announcer: publisher }),
    lockStore: new RedisLockStore(redis, { wakePrefix, guard }),
    tags: new RedisTagTable(redis, { guard }),
    buses,
    announce: async (invalidation) => {
      const tell = ({ client }: Shard): Promise<number> =>
        publish(client, publisher.announce(client, invalidation).message);
      await Promise.all([...redis.shards(), ...redis.formerShards()].map(tell));
    },
    // Nobody waits for the listeners: without them waiters are woken by timers, and no copies are kept.
    connect: () => {
      for (const listener of listeners) listener.start();
      return redis.connect();
    },
    close: async () => {
      publisher.close();
      await Promise.all(listeners.map((listener) => listener.close()));
      await redis.close();
    },
  };
}

/** What is heard of one shard. */
function createListeners(
  { timeouts, namespace, l1, invalidation }: ResolvedCacheOptions,
  { clock, ids, wakeups, reporter, sink }: BackendParts,
  link: Pick<RedisBusOptions, 'shard' | 'createClient' | 'guard'> & {
    publisher: Publisher;
    wakePrefix: string;
  },
): { bus: Bus; tracking?: Tracking } {
  const { instance } = ids;
  const joint = new JointSink(sink);
  const common = {
    ...link,
    namespace,
    clock,
    answerMs: timeouts.connectMs,
    onError: (operation: string, error: Error) => reporter.report(operation, undefined, error),
  };
  const { publisher, wakePrefix } = link;
  const bus = new RedisBus({
    ...common,
    channel: wakePrefix + instance,
    invalidations: { channel: publisher.channel, instance, publisher, sink: joint.join() },
    wakeups,
  });
  // Only copies need it: what is read from Redis is true by itself.
  if (l1 === false || invalidation.mode === 'pubsub') return { bus };
  const channel = `${namespace}:b:${instance}`;
  return {
    bus,
    tracking: new Tracking({ ...common, channel, sink: { ...sink, ...joint.join() } }),
  };
}

function repeatsCommands({ client }: Shard): boolean {
  return (client as Redis).options.autoResendUnfulfilledCommands !== false;
}
