import type { Cluster, Redis } from 'ioredis';
import { ClusterTracking } from '../bus/cluster-tracking.js';
import { JointSink } from '../bus/joint-sink.js';
import type { Publisher } from '../bus/publisher.js';
import { RedisBus, type Bus } from '../bus/redis-bus.js';
import { Tracking } from '../bus/tracking.js';
import type { Layout } from '../cache/entry.js';
import { RedisLockStore } from '../locks/redis-lock-store.js';
import { BatchedReads } from '../redis/batched-reads.js';
import { createTopology } from '../redis/create-topology.js';
import { guardNodes } from '../redis/node-guard.js';
import { surveyNodes } from '../redis/node-survey.js';
import type { Shard, Topology } from '../redis/topology.js';
import type { ServerTopologyOptions } from '../redis/topology.options.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { RedisEntryStore } from '../store/redis-entry-store.js';
import { RedisRawStore } from '../store/redis-raw-store.js';
import { RedisTagTable } from '../tags/redis-tag-table.js';
import type { Backend, BackendParts } from './backend.js';
import type { ResolvedCacheOptions } from './resolved-options.js';
import { Voice } from './voice.js';

export function createRedisBackend(
  options: ResolvedCacheOptions,
  topology: ServerTopologyOptions,
  parts: BackendParts,
): Backend {
  const { timeouts, namespace } = options;
  const { clock, ids, reporter, meter } = parts;
  const { instance } = ids;
  const redis = createTopology(topology, {
    clock,
    connectTimeoutMs: timeouts.connectMs,
    answerMs: Math.max(timeouts.readMs, timeouts.writeMs),
    onError: (error) => reporter.report('connection', undefined, error),
  });
  if (topology.type === 'single' && topology.client && redis.connections().some(repeatsCommands))
    reporter.warn(
      'client',
      'the given Redis client repeats commands after a reconnect: set its autoResendUnfulfilledCommands to false, or an evict that falls into a reconnect may not be final',
    );
  const { guard, unwatch } = guardNodes(redis, {
    readMs: timeouts.readMs,
    writeMs: timeouts.writeMs,
    clock,
    onStateChange: ({ node, state, message }) => reporter.warn(`${state} ${node}`, message),
  });
  if (!('client' in topology && topology.client)) notStarted(redis, guard);
  const reads = new BatchedReads(guard);
  const wakePrefix = `${namespace}:w:`;
  const voice = new Voice(`${namespace}:i`, { redis, guard, clock, instance, reporter, meter });
  const { publisher } = voice;
  const { buses, listeners } = createListeners(redis, options, {
    ...parts,
    guard,
    publisher,
    wakePrefix,
  });
  return {
    store: new RedisEntryStore(redis, { instance, wakePrefix, guard, reads, announcer: publisher }),
    rawStore: new RedisRawStore(redis, { guard }),
    lockStore: new RedisLockStore(redis, { wakePrefix, guard }),
    tags: new RedisTagTable(redis, { guard, reads }),
    layout: layoutOf(redis),
    shardIndexOf: shardIndexIn(redis),
    buses,
    announce: (invalidation) => voice.announce(invalidation),
    nodes: () => surveyNodes({ redis, guard, clock }),
    // Nobody waits for the listeners: without them waiters are woken by timers, and no copies are kept.
    connect: () => {
      for (const listener of listeners) listener.start();
      return redis.connect();
    },
    close: async () => {
      publisher.close();
      guard.close();
      unwatch();
      await Promise.all(listeners.map((listener) => listener.close()));
      await redis.close();
    },
  };
}

/** Told until there is a connection, to a constructor, or in a module that was loaded lazily or not initialised. */
function notStarted(redis: Topology, guard: CallGuard): void {
  const why = new Error('the cache connects in onModuleInit, which has not been called');
  for (const { name } of redis.connections()) guard.disconnected(name, why);
}

interface ListenerParts extends BackendParts {
  guard: CallGuard;
  publisher: Publisher;
  wakePrefix: string;
}

interface ShardParts {
  redis: Topology;
  shard: Shard;
  sink: ReturnType<BackendParts['sinks']>;
}

/** Those of all shards. */
function createListeners(redis: Topology, options: ResolvedCacheOptions, parts: ListenerParts) {
  const shards = redis.shards();
  const sinks = shards.map((_, i) => parts.sinks(i));
  const perShard = shards.map((shard, i) =>
    listenersOf({ redis, shard, sink: sinks[i]! }, options, parts),
  );
  const buses = perShard.map(({ bus }) => bus);
  return { buses, listeners: [...buses, ...perShard.flatMap(({ tracking }) => tracking ?? [])] };
}

/** What is heard of one shard. */
function listenersOf(
  { redis, shard, sink }: ShardParts,
  { timeouts, namespace, l1, invalidation }: ResolvedCacheOptions,
  { clock, ids, wakeups, reporter, meter, guard, publisher, wakePrefix }: ListenerParts,
): { bus: Bus; tracking?: Tracking | ClusterTracking } {
  const { instance } = ids;
  const joint = new JointSink(sink);
  const createClient = (of = shard): Redis => redis.createPubSubClient(of);
  const common = {
    guard,
    namespace,
    clock,
    answerMs: timeouts.connectMs,
    meter,
    onError: (operation: string, error: Error) => reporter.report(operation, undefined, error),
  };
  const bus = new RedisBus({
    ...common,
    shard,
    createClient,
    channel: wakePrefix + instance,
    invalidations: { channel: publisher.channel, instance, publisher, sink: joint.join() },
    wakeups,
  });
  // Only copies need it: what is read from Redis is true by itself.
  if (l1 === false || invalidation.mode === 'pubsub') return { bus };
  const told = { ...common, channel: `${namespace}:b:${instance}`, sink };
  if (redis.kind === 'cluster') {
    const cluster = shard.client as Cluster;
    return { bus, tracking: new ClusterTracking({ ...told, cluster, createClient, joint }) };
  }
  const joined = { ...sink, ...joint.join() };
  return { bus, tracking: new Tracking({ ...told, shard, createClient, sink: joined }) };
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
