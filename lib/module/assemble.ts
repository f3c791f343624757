import { CacheEngine } from '../cache/cache-engine.js';
import { CacheService } from '../cache/cache.service.js';
import { Codec } from '../codec/codec.js';
import { systemClock, type Clock } from '../common/clock.js';
import { IdSource } from '../common/ids.js';
import { wakeOf, type LockStore } from '../locks/lock-store.js';
import { LockProvider } from '../locks/lock.provider.js';
import { MemoryLockStore } from '../locks/memory-lock-store.js';
import { RedisLockStore } from '../locks/redis-lock-store.js';
import { RedisBus, type Bus } from '../bus/redis-bus.js';
import { Wakeups } from '../bus/wakeups.js';
import { Reporter, type LogSink } from '../observe/reporter.js';
import { SingleTopology } from '../redis/single.topology.js';
import type { Shard } from '../redis/topology.js';
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
  const backend = createBackend(options, { clock, ids, wakeups, reporter });
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

function createBackend(
  options: ResolvedCacheOptions,
  parts: { clock: Clock; ids: IdSource; wakeups: Wakeups; reporter: Reporter },
): Backend {
  const { clock, ids, wakeups, reporter } = parts;
  const { topology, timeouts, namespace } = options;
  if (topology.type === 'memory') {
    const onWake = (_instance: string, key: string): void => wakeups.wake(key);
    const nothing = async (): Promise<void> => undefined;
    return {
      store: new MemoryEntryStore({ clock, instance: ids.instance, onWake }),
      lockStore: new MemoryLockStore({ clock, onWake: (id, key) => wakeups.wake(wakeOf(key, id)) }),
      buses: [],
      connect: nothing,
      close: nothing,
    };
  }
  const redis = new SingleTopology(topology, {
    clock,
    connectTimeoutMs: timeouts.connectMs,
    onError: (error) => reporter.report('connection', undefined, error),
  });
  const guard = new CallGuard({ readMs: timeouts.readMs, writeMs: timeouts.writeMs, clock });
  const wakePrefix = `${namespace}:w:`;
  const store = new RedisEntryStore(redis, { instance: ids.instance, wakePrefix, guard });
  const createBus = (shard: Shard): Bus =>
    new RedisBus({
      shard,
      createClient: () => redis.createPubSubClient(shard),
      namespace,
      channel: wakePrefix + ids.instance,
      wakeups,
      guard,
      clock,
      answerMs: timeouts.connectMs,
      onError: (operation, error) => reporter.report(operation, undefined, error),
    });
  const buses = redis.shards().map(createBus);
  return {
    store,
    lockStore: new RedisLockStore(redis, { wakePrefix, guard }),
    buses,
    // Nobody waits for the bus: without it waiters are woken by timers.
    connect: () => {
      for (const bus of buses) bus.start();
      return redis.connect();
    },
    close: async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await redis.close();
    },
  };
}
