import { CacheEngine } from '../cache/cache-engine.js';
import { CacheService } from '../cache/cache.service.js';
import { Codec } from '../codec/codec.js';
import { systemClock, type Clock } from '../common/clock.js';
import { IdSource } from '../common/ids.js';
import { Wakeups } from '../bus/wakeups.js';
import { Reporter, type LogSink } from '../observe/reporter.js';
import { SingleTopology } from '../redis/single.topology.js';
import { CallGuard } from '../resilience/call-guard.js';
import type { EntryStore } from '../store/entry-store.js';
import { MemoryEntryStore } from '../store/memory-entry-store.js';
import { RedisEntryStore } from '../store/redis-entry-store.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

/** A whole cache, put together without Nest. */
export interface AssembledCache {
  readonly service: CacheService;
  readonly engine: CacheEngine;
  /** Opens the connections; resolves also when Redis cannot be reached. */
  connect(): Promise<void>;
  /** Waits for running loads (`shutdownTimeout`), then closes own connections. Calling it again gives the same promise. */
  close(): Promise<void>;
}

/** What is put in from outside; the defaults are the real ones. */
export interface Surroundings {
  clock?: Clock;
  log?: LogSink;
}

interface Backend {
  readonly store: EntryStore;
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
  let closing: Promise<void> | undefined;
  return {
    service: new CacheService(engine, engine.keySpace()),
    engine,
    connect: () => backend.connect(),
    close: () => (closing ??= engine.drain().then(() => backend.close())),
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
    const store = new MemoryEntryStore({ clock, instance: ids.instance, onWake });
    return { store, connect: async () => undefined, close: async () => undefined };
  }
  const redis = new SingleTopology(topology, {
    clock,
    connectTimeoutMs: timeouts.connectMs,
    onError: (error) => reporter.report('connection', undefined, error),
  });
  const guard = new CallGuard({ readMs: timeouts.readMs, writeMs: timeouts.writeMs, clock });
  const store = new RedisEntryStore(redis, {
    instance: ids.instance,
    wakePrefix: `${namespace}:w:`,
    guard,
  });
  return { store, connect: () => redis.connect(), close: () => redis.close() };
}
