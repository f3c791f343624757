import { InvalidationFeed } from '../bus/invalidation-feed.js';
import { InvalidationListener } from '../bus/invalidation-listener.js';
import type { Bus } from '../bus/redis-bus.js';
import { Wakeups } from '../bus/wakeups.js';
import { CacheEngine } from '../cache/cache-engine.js';
import { CacheService } from '../cache/cache.service.js';
import type { CacheParts } from '../cache/parts.js';
import { RequestMemos } from '../cache/request-memo.js';
import { TagMirror } from '../cache/tag-mirror.js';
import type { Tier } from '../cache/tier.js';
import { WriteQueues } from '../cache/write/write-queues.js';
import { Codec } from '../codec/codec.js';
import { systemClock, type Clock } from '../common/clock.js';
import { IdSource } from '../common/ids.js';
import { L1Cache } from '../l1/l1-cache.js';
import { LockProvider } from '../locks/lock.provider.js';
import { Meter } from '../observe/meter.js';
import { Reporter, type LogSink } from '../observe/reporter.js';
import type { Backend, BackendParts } from './backend.js';
import { copySinks } from './copy-sinks.js';
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
  /** Writes what waits in queues, within `shutdownTimeout`. */
  flush(): Promise<void>;
  /** Waits for queued writes and running loads (`shutdownTimeout`), gives locks back, closes own connections. Calling it again gives the same promise. */
  close(): Promise<void>;
}

/** What is put in from outside; the defaults are the real ones. */
export interface Surroundings {
  clock?: Clock;
  log?: LogSink;
  /** What messages of this cache call it. */
  name?: string;
  createMeter?: (clock: Clock, name?: string) => Meter;
  /** Where entries live; default: where the topology says. */
  createBackend?: (options: ResolvedCacheOptions, parts: BackendParts) => Backend;
}

export function assemble(
  options: ResolvedCacheOptions,
  { clock = systemClock, log = console, name, ...make }: Surroundings = {},
): AssembledCache {
  const meter = make.createMeter?.(clock, name) ?? new Meter(clock, name);
  const reporter = new Reporter({ clock, log, onError: options.onError, meter });
  const tools = { clock, reporter, meter, ids: new IdSource(), wakeups: new Wakeups() };
  const tier = createTier(options, {
    clock,
    shardOf: (key) => backend.shardIndexOf(key),
    onFull: () => meter.count('l1Evictions'),
  });
  const { type } = options.topology;
  const mirror = new TagMirror({ oneTable: type === 'memory' || type === 'single', clock });
  const { namespace, timeouts, shutdownTimeoutMs } = options;
  const feed = new InvalidationFeed({ namespace, reporter, clock, startMs: timeouts.connectMs });
  const queues = new WriteQueues({ clock, reporter, shutdownTimeoutMs });
  const sinks = copySinks({ tier, mirror, feed, queues, meter });
  const backend: Backend = (make.createBackend ?? createBackend)(options, { ...tools, sinks });
  const memos = new RequestMemos();
  const { store, rawStore, tags, announce, layout } = backend;
  const engine = new CacheEngine({
    ...tools,
    store,
    rawStore,
    tags,
    mirror,
    announce,
    layout,
    codec: new Codec(options),
    settings: options,
    tier,
    feed: toAll({ memos, feed, queues }),
    memos,
    queues,
    serverOffsetMs: (key) => backend.buses[backend.shardIndexOf(key)]?.serverOffsetMs ?? 0,
    nodes: () => backend.nodes(),
  });
  const locks = new LockProvider({ ...tools, store: backend.lockStore }, engine.keySpace());
  const close = async (): Promise<void> => {
    await queues.close();
    feed.close();
    await engine.drain();
    await locks.close();
    await backend.close();
    for (const scopes of [engine.modes, memos, meter]) scopes.close();
  };
  let closing: Promise<void> | undefined;
  return {
    service: new CacheService(engine, engine.keySpace()),
    engine,
    locks,
    listener: new InvalidationListener(feed, () => lagOf(backend.buses)),
    buses: backend.buses,
    connect: () => backend.connect(),
    flush: () => queues.flush(),
    close: () => (closing ??= close()),
  };
}

/** Of the slowest; undefined where one is not live. */
function lagOf(buses: readonly Bus[]): number | undefined {
  const lags = buses.flatMap(({ lagMs }) => lagMs ?? []);
  return lags.length > 0 && lags.length === buses.length ? Math.max(...lags) : undefined;
}

function createTier(
  { l1 }: ResolvedCacheOptions,
  parts: Pick<ConstructorParameters<typeof L1Cache>[0], 'clock' | 'shardOf' | 'onFull'>,
): Tier | undefined {
  return l1 ? new L1Cache({ ...l1, ...parts }) : undefined;
}

/** Whoever hears of what this process changes. */
function toAll({
  memos,
  feed,
  queues,
}: {
  memos: RequestMemos;
  feed: InvalidationFeed;
  queues: WriteQueues;
}): CacheParts['feed'] {
  return {
    own: (change) => {
      memos.changed(change);
      feed.own(change);
      queues.own(change);
    },
  };
}

function createBackend(options: ResolvedCacheOptions, parts: BackendParts): Backend {
  return options.topology.type === 'memory'
    ? createMemoryBackend(parts)
    : createRedisBackend(options, options.topology, parts);
}
