import type { Redis } from 'ioredis';
import { JointSink } from '../bus/joint-sink.js';
import { Publisher } from '../bus/publisher.js';
import { RedisBus, type Bus, type RedisBusOptions } from '../bus/redis-bus.js';
import { Tracking } from '../bus/tracking.js';
import type { Layout } from '../cache/entry.js';
import { RedisLockStore } from '../locks/redis-lock-store.js';
import { createTopology } from '../redis/create-topology.js';
import type { RedisClient, Shard, Topology } from '../redis/topology.js';
import type { ServerTopologyOptions } from '../redis/topology.options.js';
import { CallGuard } from '../resilience/call-guard.js';
import { isReply } from '../resilience/redis-failure.js';
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
  const guard = new CallGuard({
    readMs: timeouts.readMs,
    writeMs: timeouts.writeMs,
    clock,
    ping: pingTo(redis.connections()),
    onStateChange: ({ node, state, message }) => reporter.warn(`${state} ${node}`, message),
  });
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
  const nodes = new Map(redis.connections().map(({ client, name }) => [client, name]));
  const publish = (client: RedisClient, message: string): Promise<number> =>
    guard.run('write', 'publish', () => client.publish(channel, message), nodes.get(client));
  const shards = redis.shards();
  const sinks = shards.map((_, i) => parts.sinks(i));
  const perShard = shards.map((shard, i) => {
    const createClient = (): Redis => redis.createPubSubClient(shard);
    const link = { shard, createClient, guard, publisher, wakePrefix, sink: sinks[i]! };
    return createListeners(options, parts, link);
  });
  const buses = perShard.map(({ bus }) => bus);
  const listeners = [...buses, ...perShard.flatMap(({ tracking }) => tracking ?? [])];
  return {
    store: new RedisEntryStore(redis, { instance, wakePrefix, guard, announcer: publisher }),
    lockStore: new RedisLockStore(redis, { wakePrefix, guard }),
    tags: new RedisTagTable(redis, { guard }),
    layout: layoutOf(redis),
    shardIndexOf: shardIndexIn(redis),
    buses,
    announce: async (invalidation) => {
      const tell = async ({ client }: Shard): Promise<void> => {
        try {
          await publish(client, publisher.announce(client, invalidation).message);
        } catch (error) {
          // A user that may not publish can still evict; trying again would change nothing.
          if (!isReply((error as Error).cause)) throw error;
          reporter.report('publish', undefined, error);
        }
      };
      await Promise.all([...redis.shards(), ...redis.formerShards()].map(tell));
    },
    // Nobody waits for the listeners: without them waiters are woken by timers, and no copies are kept.
    connect: () => {
      for (const listener of listeners) listener.start();
      return redis.connect();
    },
    close: async () => {
      publisher.close();
      guard.close();
      await Promise.all(listeners.map((listener) => listener.close()));
      await redis.close();
    },
  };
}

/** What is heard of one shard. */
function createListeners(
  { timeouts, namespace, l1, invalidation }: ResolvedCacheOptions,
  { clock, ids, wakeups, reporter }: BackendParts,
  link: Pick<RedisBusOptions, 'shard' | 'createClient' | 'guard'> & {
    publisher: Publisher;
    wakePrefix: string;
    sink: ReturnType<BackendParts['sinks']>;
  },
): { bus: Bus; tracking?: Tracking } {
  const { instance } = ids;
  const joint = new JointSink(link.sink);
  const common = {
    ...link,
    namespace,
    clock,
    answerMs: timeouts.connectMs,
    onError: (operation: string, error: Error) => reporter.report(operation, undefined, error),
  };
  const { publisher, wakePrefix, sink } = link;
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

/** Entries of the layout before this one are true where both look at the same server. */
function layoutOf(redis: Topology): Layout {
  const { topologyId, formerTopologyId } = redis;
  return {
    id: topologyId,
    trusts: (id, key) =>
      id === topologyId || (id === formerTopologyId && redis.formerOwnersOf(key).length === 0),
  };
}

function shardIndexIn(redis: Topology): (key: string) => number {
  const names = redis.shards().map(({ name }) => name);
  return names.length === 1 ? () => 0 : (key) => names.indexOf(redis.shardOf(key).name);
}

function repeatsCommands({ client }: Shard): boolean {
  return (client as Redis).options.autoResendUnfulfilledCommands !== false;
}

/**
 * PING over a shard's connection. Not while there is none, where a client of the application might keep it for later, and
 * not while an earlier one is unanswered: a frozen server would collect them.
 */
function pingTo(shards: readonly Shard[]): (node: string) => Promise<unknown> {
  const unanswered = new WeakSet<object>();
  return async (node) => {
    const { client } = shards.find(({ name }) => name === node)!;
    if (client.status !== 'ready') throw new Error(`the connection is ${client.status}`);
    // A new connection knows nothing of what the last one had not answered.
    const connection = (client as Redis).stream ?? client;
    if (unanswered.has(connection)) throw new Error('the last PING has not been answered either');
    unanswered.add(connection);
    return client.ping().finally(() => unanswered.delete(connection));
  };
}
