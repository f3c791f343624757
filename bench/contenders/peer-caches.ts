import { peer } from '../peers.js';
import { foundIn, TTL_MS, type OpenCache } from './cache.js';

/** Other caches, as their documentation sets them up. */

export const bentocache: OpenCache = async (bench, tiers) => {
  const bento = await peer('bentocache');
  if (!bento) return undefined;
  const { redisDriver, redisBusDriver } = await peer('bentocache/drivers/redis');
  const { memoryDriver } = await peer('bentocache/drivers/memory');
  const { hostname: host, port, password, username } = new URL(bench.redisUrl);
  const connection = { host, port: Number(port || 6379), password, username };
  const remote = bento.bentostore().useL2Layer(redisDriver({ connection }));
  const store =
    tiers === 'redis'
      ? remote
      : remote
          .useL1Layer(memoryDriver({ maxItems: 10_000 }))
          .useBus(redisBusDriver({ connection }));
  const prefix = bench.ownName();
  const cache = new bento.BentoCache({ default: 'store', prefix, ttl: TTL_MS, stores: { store } });
  bench.onClose(() => cache.disconnectAll());
  return {
    name: 'bentocache',
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    getOrSet: (key, factory) => cache.getOrSet({ key, factory }),
  };
};

/** Keyv over Redis, on which both of the next two stand. */
async function keyvRedis(url: string, namespace: string): Promise<any> {
  const [{ Keyv }, { default: KeyvRedis }] = [await peer('keyv'), await peer('@keyv/redis')];
  return new Keyv({ store: new KeyvRedis(url), namespace, ttl: TTL_MS });
}

export const cacheable: OpenCache = async (bench, tiers) => {
  const package_ = await peer('cacheable');
  if (!package_) return undefined;
  const remote = await keyvRedis(bench.redisUrl, bench.ownName());
  const stores = tiers === 'redis' ? { primary: remote } : { secondary: remote };
  const cache = new package_.Cacheable({ ...stores, ttl: TTL_MS });
  bench.onClose(() => cache.disconnect());
  return {
    name: 'cacheable',
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    getOrSet: (key, load) => cache.getOrSet(key, load, { ttl: TTL_MS }),
    getMany: async (keys) => foundIn(await cache.getMany(keys)),
  };
};

export const cacheManager: OpenCache = async (bench, tiers) => {
  const package_ = await peer('cache-manager');
  if (!package_) return undefined;
  const { Keyv } = await peer('keyv');
  const remote = await keyvRedis(bench.redisUrl, bench.ownName());
  const stores = tiers === 'redis' ? [remote] : [new Keyv({ ttl: TTL_MS }), remote];
  const cache = package_.createCache({ stores, ttl: TTL_MS });
  bench.onClose(() => cache.disconnect());
  return {
    name: 'cache-manager',
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value, TTL_MS),
    getOrSet: (key, load) => cache.wrap(key, load, TTL_MS),
    getMany: async (keys) => foundIn(await cache.mget(keys)),
  };
};

/** Its loader is one function for all keys, so each call leaves its own where that finds it. */
export const layeredLoader: OpenCache = async (bench, tiers) => {
  const package_ = await peer('layered-loader');
  if (!package_) return undefined;
  const { Loader, RedisCache, createNotificationPair } = package_.default ?? package_;
  const loads = new Map<string, () => Promise<object>>();
  const prefix = bench.ownName();
  const pair = () =>
    createNotificationPair({
      channel: prefix,
      consumerRedis: bench.openClient(),
      publisherRedis: bench.openClient(),
    });
  const { publisher, consumer } = tiers === 'both' ? pair() : {};
  const loader = new Loader({
    ...(tiers === 'both' && {
      inMemoryCache: { ttlInMsecs: TTL_MS, maxItems: 10_000 },
      notificationPublisher: publisher,
      notificationConsumer: consumer,
    }),
    asyncCache: new RedisCache(bench.openClient(), { prefix, json: true, ttlInMsecs: TTL_MS }),
    dataSourceGetOneFn: async (key: string) => loads.get(key)?.(),
    // For what it loads of several keys, which is nothing here: all of them are there.
    cacheKeyFromValueResolver: ({ id }: { id: number }) => String(id),
    throwIfUnresolved: false,
  });
  await loader.init();
  return {
    name: 'layered-loader',
    get: (key) => loader.get(key),
    set: (key, value) => loader.forceSetValue(key, value),
    getOrSet: async (key, load) => {
      loads.set(key, load);
      try {
        return await loader.get(key);
      } finally {
        loads.delete(key);
      }
    },
    getMany: async (keys) => foundIn(await loader.getMany([...keys])),
  };
};
