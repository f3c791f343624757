import { CacheEngine } from '../cache/cache-engine.js';
import { CacheService } from '../cache/cache.service.js';
import type { Tier } from '../cache/tier.js';
import { Codec } from '../codec/codec.js';
import { systemClock, type Clock } from '../common/clock.js';
import { IdSource } from '../common/ids.js';
import { wakeOf, type LockStore } from '../locks/lock-store.js';
import { LockProvider } from '../locks/lock.provider.js';
import { MemoryLockStore } from '../locks/memory-lock-store.js';
import { RedisLockStore } from '../locks/redis-lock-store.js';
import type { InvalidationSink } from '../bus/invalidation-sink.js';
import { Publisher } from '../bus/publisher.js';
import { RedisBus, type Bus } from '../bus/redis-bus.js';
import { Wakeups } from '../bus/wakeups.js';
import { L1Cache } from '../l1/l1-cache.js';
import { Reporter, type LogSink } from '../observe/reporter.js';
import { SingleTopology } from '../redis/single.topology.js';
import type { RedisClient, Shard } from '../redis/topology.js';
import type { SingleTopologyOptions } from '../redis/topology.options.js';
import { CallGuard } from '../resilience/call-guard.js';
import type { EntryStore } from '../store/entry-store.js';
import { MemoryEntryStore } from '../store/memory-entry-store.js';
import { RedisEntryStore } from '../store/redis-entry-store.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

/** A whole cache, put together without Nest. */
export interface AssembledCache {
  readonly service: CacheService;
  readonly engine: CacheEngine;
  readonly locks: LockProvider;
  /** One per shard; none without Redis. */
  readonly buses: readonly Bus[];
  /** Opens the connections; resolves also when Redis cannot be reached. */
  connect(): Promise<void>;
  /** Waits for running loads (`shutdownTimeout`), gives locks back, closes own connections. Calling it again gives the same promise. */
  close(): Promise<void>;
}

/** What is put in from outside; the defaults are the real ones. */
export interface Surroundings {
  clock?: Clock;
  log?: LogSink;
}

interface Backend {
  readonly store: EntryStore;
  readonly lockStore: LockStore;
  readonly buses: readonly Bus[];
  connect(): Promise<void>;
  close(): Promise<void>;
}

export function assemble(
  options: ResolvedCacheOptions,
  { clock = systemClock, log = console }: Surroundings = {},
): AssembledCache {
  const reporter = new Reporter({ clock, log, onError: options.onError });
  const ids = new IdSource();
  const wakeups = new Wakeups();
  const tier: Tier | undefined = options.l1 ? new L1Cache({ ...options.l1, clock }) : undefined;
  const backend = createBackend(options, { clock, ids, wakeups, reporter, sink: sinkOf(tier) });
  const codec = new Codec(options);
  const { store } = backend;
  const engine = new CacheEngine({
    store,
    codec,
    ids,
    clock,
    wakeups,
    reporter,
    settings: options,
    tier,
    serverOffsetMs: () => backend.buses[0]?.serverOffsetMs ?? 0,
  });
  const lockParts = { store: backend.lockStore, clock, ids, wakeups, reporter };
  const locks = new LockProvider(lockParts, engine.keySpace());
  const close = async (): Promise<void> => {
    await engine.drain();
    await locks.close();
    await backend.close();
  };
  let closing: Promise<void> | undefined;
  return {
    service: new CacheService(engine, engine.keySpace()),
    engine,
    locks,
    buses: backend.buses,
    connect: () => backend.connect(),
    close: () => (closing ??= close()),
  };
}

/** What messages of other processes do to the copies of this one. */
function sinkOf(tier: Tier | undefined): InvalidationSink {
  return {
    open: () => tier?.open(),
    shut: () => tier?.shut(),
    distrust: () => tier?.clear(),
    apply: (invalidation) => {
      if ('keys' in invalidation) for (const key of invalidation.keys) tier?.drop(key);
    },
  };
}

interface BackendParts {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly wakeups: Wakeups;
  readonly reporter: Reporter;
  readonly sink: InvalidationSink;
}

function createBackend(options: ResolvedCacheOptions, parts: BackendParts): Backend {
  return options.topology.type === 'memory'
    ? createMemoryBackend(parts)
    : createRedisBackend(options, options.topology, parts);
}

/** Nobody else has access to these entries: the copies are always current. */
function createMemoryBackend({ clock, ids, wakeups, sink }: BackendParts): Backend {
  const store = new MemoryEntryStore({
    clock,
    instance: ids.instance,
    onWake: (_, key) => wakeups.wake(key),
  });
  sink.open();
  return {
    store,
    lockStore: new MemoryLockStore({ clock, onWake: (id, key) => wakeups.wake(wakeOf(key, id)) }),
    buses: [],
    connect: async () => undefined,
    close: async () => store.close(),
  };
}

function createRedisBackend(
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
  const guard = new CallGuard({ readMs: timeouts.readMs, writeMs: timeouts.writeMs, clock });
  const wakePrefix = `${namespace}:w:`;
  const channel = `${namespace}:i`;
  const publisher = new Publisher({
    channel,
    instance,
    clock,
    publish: (connection, { message }) =>
      void guard
        .run('write', 'publish', () => (connection as RedisClient).publish(channel, message))
        // Whoever misses it notices at the next message.
        .catch(() => undefined),
  });
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
    buses,
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
