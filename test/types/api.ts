/** The public interface, written down as users know it: compiled, never run. What fits here may be stricter, never less. */
import type { ExecutionContext } from '@nestjs/common';
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import {
  Cacheable,
  CacheEvict,
  CachePut,
  NoCache,
  OnInvalidation,
  RedisCacheModule,
  type CacheService,
  type CacheStats,
  type Duration,
  type InvalidationEvent,
  type InvalidationListener,
  type LoadContext,
  type LoadOptions,
  type LockProvider,
  type RedisCacheOptions,
  type Serializer,
  type SetOptions,
  type TopologyOptions,
} from '../../lib/index.js';

type Key = string | readonly (string | number | bigint | boolean | null)[];
type Mode = 'normal' | 'bypass' | 'refresh' | 'readonly';

interface BatchContext {
  keys: readonly Key[];
  setTtl(key: Key, ttl: Duration): void;
  setTags(key: Key, tags: readonly string[]): void;
}

interface Cache {
  get<T>(key: Key): Promise<T | undefined>;
  peek<T>(key: Key): T | undefined;
  has(key: Key): Promise<boolean>;
  set<T>(key: Key, value: T, options?: SetOptions): Promise<boolean>;
  evict(key: Key | readonly Key[]): Promise<number>;
  getOrSet<T>(
    key: Key,
    loader: (context: LoadContext) => T | Promise<T>,
    options?: LoadOptions,
  ): Promise<T>;
  getMany<T>(keys: readonly Key[]): Promise<Map<Key, T>>;
  setMany<T>(entries: Iterable<readonly [Key, T]>, options?: SetOptions): Promise<void>;
  getOrSetMany<T>(
    keys: readonly Key[],
    loader: (missing: Key[], context: BatchContext) => Promise<Iterable<readonly [Key, T]>>,
    options?: LoadOptions,
  ): Promise<Map<Key, T>>;
  writeThrough<T>(
    key: Key,
    writer: (context: { key: unknown; setTtl(ttl: Duration): void }) => Promise<T>,
    options?: Omit<SetOptions, 'if'>,
  ): Promise<T>;
  withWrite<T>(keys: Key | readonly Key[], transaction: () => Promise<T>): Promise<T>;
  increment(key: Key, by?: number, options?: { ttl?: Duration }): Promise<number>;
  decrement(key: Key, by?: number, options?: { ttl?: Duration }): Promise<number>;
  ttl(key: Key): Promise<number | undefined>;
  touch(key: Key, ttl: Duration): Promise<boolean>;
  take<T>(key: Key): Promise<T | undefined>;
  evictTags(tags: string | readonly string[]): Promise<void>;
  evictPattern(glob: string): Promise<number>;
  keys(glob?: string): AsyncIterable<string>;
  clear(): Promise<void>;
  namespace(name: string): CacheService;
  run<T>(mode: Mode, fn: () => T): T;
  stats(): CacheStats;
}

interface LockSettings {
  ttl?: Duration;
  wait?: Duration;
  signal?: AbortSignal;
}
interface HeldLock extends AsyncDisposable {
  name: string;
  fencingToken: bigint;
  signal: AbortSignal;
  extend(ttl: Duration): Promise<boolean>;
  release(): Promise<boolean>;
}
interface Locks {
  acquire(name: string | readonly string[], options?: LockSettings): Promise<HeldLock>;
  tryAcquire(name: string, options?: Omit<LockSettings, 'wait'>): Promise<HeldLock | undefined>;
  withLock<T>(name: string, fn: (lock: HeldLock) => Promise<T>, options?: LockSettings): Promise<T>;
  isLocked(name: string): Promise<boolean>;
}

interface Listener {
  readonly live: boolean;
  on(handler: (event: InvalidationEvent) => void): () => void;
}

export const conform = (
  cache: CacheService,
  locks: LockProvider,
  listener: InvalidationListener,
): [Cache, Locks, Listener] => [cache, locks, listener];

export const event = (event: InvalidationEvent): unknown => {
  const { keys, tags, all, namespace, local, reason } = event;
  const why: 'evict' | 'set' | 'clear' | 'disconnect' = reason;
  const lists: (readonly string[] | undefined)[] = [keys, tags];
  return [lists, all satisfies boolean | undefined, namespace.length, local === true, why];
};

declare const serializer: Serializer;
declare const redis: RedisOptions;
declare const client: Redis;
declare const cluster: ClusterOptions;
declare const clusterClient: Cluster;

export const durations: Duration[] = [250, '250ms', '30s', '5m', '1h', '2d', '1h30m', Infinity];

export const everything = {
  topology: { type: 'memory' },
  namespace: 'cache',
  ttl: '5m',
  ttlJitter: 0.5,
  grace: '1m',
  staleWhileRevalidate: true,
  refreshAhead: { after: 0.8, beta: 1 },
  negativeTtl: '10s',
  cacheNull: true,
  l1: { maxEntries: 10, maxBytes: 1000, ttl: '1m', isolation: 'clone' },
  invalidation: { mode: 'tracking' },
  lease: { ttl: '3s', waitTimeout: '30s', onWaitTimeout: 'throw' },
  loaderTimeout: '30s',
  softTimeout: '1s',
  loaderConcurrency: 10,
  errorBackoff: '1s',
  shutdownTimeout: '5s',
  timeouts: { connect: '2s', read: '300ms', write: '300ms' },
  failure: 'strict',
  evictFailure: 'queue',
  onError: ({ operation, returning, error }) =>
    void [operation.length, returning, error.message.length],
  serializer,
  compression: { threshold: 1000, algorithm: 'brotli' },
  maxValueBytes: 1000,
} satisfies RedisCacheOptions;
export const off: RedisCacheOptions = {
  refreshAhead: false,
  l1: false,
  compression: false,
  serializer: 'msgpack',
};

export const topologies: TopologyOptions[] = [
  { type: 'single', url: 'redis://localhost', redis, connections: 2 },
  { type: 'single', client },
  { type: 'single', client: () => client },
  {
    type: 'sharded',
    shards: ['redis://a', { name: 'b', url: 'redis://b', weight: 2, redis }],
    previousShards: ['redis://a'],
    connections: 2,
  },
  { type: 'cluster', nodes: ['a:1', { host: 'b', port: 2 }], cluster },
  { type: 'cluster', client: () => clusterClient },
];

class Factory {
  createCacheOptions(): RedisCacheOptions {
    return everything;
  }
}

export const modules = [
  RedisCacheModule.forRoot(),
  RedisCacheModule.forRoot({ ...everything, name: 'reports', isGlobal: false }),
  RedisCacheModule.forRootAsync({
    name: 'a',
    isGlobal: true,
    imports: [],
    inject: [Factory],
    extraProviders: [Factory],
    useFactory: (factory: Factory) => factory.createCacheOptions(),
  }),
  RedisCacheModule.forRootAsync({ useClass: Factory }),
  RedisCacheModule.forRootAsync({ useExisting: Factory }),
];

export const sets: Required<Pick<SetOptions, 'ttl' | 'tags' | 'if' | 'version'>>[] = [
  { ttl: '1m', tags: ['a'], if: 'absent', version: 1 },
  { ttl: Infinity, tags: [], if: 'present', version: '2' },
];
export const loads: LoadOptions = {
  ttl: '1m',
  tags: ['a'],
  version: 1,
  grace: '1m',
  staleWhileRevalidate: true,
  refreshAhead: { after: 0.5 },
  negativeTtl: '1s',
  cacheNull: false,
  force: true,
  signal: new AbortController().signal,
  waitTimeout: '1s',
};
export const loader = ({ key, signal, stale, setTtl, setTags, skip }: LoadContext): unknown => {
  setTtl('1m');
  setTags(['a']);
  skip();
  return [key, signal.aborted, stale];
};

interface User {
  id: string;
}

export class Methods {
  @Cacheable()
  async plain(): Promise<number> {
    return 1;
  }

  @Cacheable({ key: 'user:{0.id}', ttl: '10m', tags: ['users', 'user:{result.id}'], condition: (user: User) => user.id !== '', unless: (found: User) => found.id === '', cache: 'reports', namespace: 'users', version: 2, grace: '1m', staleWhileRevalidate: true, refreshAhead: false, negativeTtl: '1s', cacheNull: true, force: false, waitTimeout: '1s' }) // prettier-ignore
  async find(user: User): Promise<User> {
    return user;
  }

  @Cacheable({ key: (id: string, page: number) => ['users', id, page] })
  async page(id: string, page: number): Promise<string> {
    return `${id}${page}`;
  }

  @CachePut({ key: 'user:{result.id}', ttl: '10m' })
  @CacheEvict({ keys: ['users', ['user', 7], (user: User) => user.id], condition: (user: User) => user.id !== '' }) // prettier-ignore
  @CacheEvict({ key: (user: User, saved: User) => ['user', user.id, saved.id], when: 'after' })
  @CacheEvict({ pattern: 'user:{0.id}:*' })
  @CacheEvict({ tags: 'user:{result.id}', cache: 'reports', namespace: 'users' })
  @CacheEvict({ all: true, when: 'before' })
  async save(user: User): Promise<User> {
    return user;
  }

  @NoCache()
  @OnInvalidation()
  heard(event: InvalidationEvent): void {
    void event;
  }
}

export class Handlers {
  @Cacheable({ key: 'user:{params.id}', ttl: '1m', tags: 'user:{params.id}', http: { shared: true, varyBy: (context: ExecutionContext) => [context.getType()], headers: ['link'], etag: false, cacheControl: 'public' } }) // prettier-ignore
  find(): User {
    return { id: '7' };
  }

  @Cacheable({ key: (context: ExecutionContext) => context.getClass().name })
  @CacheEvict({ key: (context: ExecutionContext) => context.getClass().name })
  @CachePut({ key: 'user:{result.id}', http: { shared: true } })
  save(): User {
    return { id: '7' };
  }
}
