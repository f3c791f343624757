export { CacheService } from './cache/cache.service.js';
export type { LoadOptions, SetOptions } from './cache/entry.options.js';
export type { LoadContext } from './cache/read/load.js';
export type { Serializer } from './codec/serializer.js';
export type { Duration } from './common/duration.js';
export {
  CacheConnectionError,
  CacheError,
  CacheEvictError,
  CacheKeyError,
  CacheOptionsError,
  CacheSerializationError,
  CacheTimeoutError,
  isCacheError,
  type CacheErrorCode,
  type OptionProblem,
} from './common/errors.js';
export { getCacheToken } from './common/tokens.js';
export { InjectCache } from './decorators/inject-cache.decorator.js';
export type { Key, KeyPart } from './keys/encode-key.js';
export type {
  RedisCacheAsyncOptions,
  RedisCacheOptionsFactory,
} from './module/module-definition.js';
export { RedisCacheOptions } from './module/redis-cache.options.js';
export type { CacheErrorEvent } from './observe/reporter.js';
export { RedisCacheModule } from './redis-cache.module.js';
export type {
  MemoryTopologyOptions,
  SingleTopologyOptions,
  TopologyOptions,
} from './redis/topology.options.js';
