import { InvalidationFeed } from '../bus/invalidation-feed.js';
import { InvalidationListener } from '../bus/invalidation-listener.js';
import type { Bus } from '../bus/redis-bus.js';
import { Wakeups } from '../bus/wakeups.js';
import { CacheEngine } from '../cache/cache-engine.js';
import { CacheService } from '../cache/cache.service.js';
import { TagMirror } from '../cache/tag-mirror.js';
import type { Tier } from '../cache/tier.js';
import { Codec } from '../codec/codec.js';
import { systemClock, type Clock } from '../common/clock.js';
import { IdSource } from '../common/ids.js';
import { L1Cache } from '../l1/l1-cache.js';
import { LockProvider } from '../locks/lock.provider.js';
import { Reporter, type LogSink } from '../observe/reporter.js';
import type { Backend, BackendParts } from './backend.js';
import { createMemoryBackend } from './memory-backend.js';
import { createRedisBackend } from './redis-backend.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

/** A whole cache, put together without Nest. */
export interface AssembledCache {
  readonly service: CacheService;
  readonly engine: CacheEngine;
  readonly locks: LockProvider;
  readonly listener: InvalidationListener;
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

export function assemble(
  options: ResolvedCacheOptions,
  { clock = systemClock, log = console }: Surroundings = {},
): AssembledCache {
  const reporter = new Reporter({ clock, log, onError: options.onError });
  const ids = new IdSource();
  const wakeups = new Wakeups();
  const tier: Tier | undefined = options.l1
    ? new L1Cache({ ...options.l1, clock, shardOf: () => 0 })
    : undefined;
  const { type } = options.topology;
  const mirror = new TagMirror({ oneTable: type === 'memory' || type === 'single' });
  const { namespace, timeouts } = options;
  const feed = new InvalidationFeed({ namespace, reporter, clock, startMs: timeouts.connectMs });
  const sink = sinkOf(tier, mirror, feed);
  const backend = createBackend(options, { clock, ids, wakeups, reporter, sink });
  const codec = new Codec(options);
  const { store, tags, announce } = backend;
  const engine = new CacheEngine({
    store,
    tags,
    mirror,
    announce,
    codec,
    ids,
    clock,
    wakeups,
    reporter,
    settings: options,
    tier,
    feed,
    serverOffsetMs: () => backend.buses[0]?.serverOffsetMs ?? 0,
  });
  const lockParts = { store: backend.lockStore, clock, ids, wakeups, reporter };
  const locks = new LockProvider(lockParts, engine.keySpace());
  const close = async (): Promise<void> => {
    feed.close();
    await engine.drain();
    await locks.close();
    await backend.close();
  };
  let closing: Promise<void> | undefined;
  return {
    service: new CacheService(engine, engine.keySpace()),
    engine,
    locks,
    listener: new InvalidationListener(feed),
    buses: backend.buses,
    connect: () => backend.connect(),
    close: () => (closing ??= close()),
  };
}

/** What is heard outdates copies of this process, and what it knows of tags; then the application is told. */
function sinkOf(
  tier: Tier | undefined,
  mirror: TagMirror,
  feed: InvalidationFeed,
): BackendParts['sink'] {
  return {
    open: () => {
      tier?.open(0);
      mirror.trust(true);
      feed.open();
    },
    shut: () => {
      tier?.shut(0);
      mirror.trust(false);
      feed.shut();
    },
    distrust: () => {
      tier?.clear(0);
      feed.distrust();
    },
    apply: (invalidation) => {
      if ('keys' in invalidation) for (const key of invalidation.keys) tier?.drop(key);
      else mirror.apply(invalidation);
      feed.apply(invalidation);
    },
    changed: (keys) => {
      // Each load changes its key twice, whoever does it; news is what has outdated a copy that was still good.
      const outdated = keys.filter((key) => tier?.get(key) !== undefined);
      for (const key of keys) tier?.drop(key);
      feed.apply({ reason: 'evict', keys: outdated });
    },
    flushed: () => {
      tier?.clear(0);
      feed.flushed();
    },
  };
}

function createBackend(options: ResolvedCacheOptions, parts: BackendParts): Backend {
  return options.topology.type === 'memory'
    ? createMemoryBackend(parts)
    : createRedisBackend(options, options.topology, parts);
}
