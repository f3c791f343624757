export type { InvalidationEvent, InvalidationHandler } from './bus/invalidation-feed.js';
export { InvalidationListener } from './bus/invalidation-listener.js';
export { CacheService } from './cache/cache.service.js';
export type { CallMode } from './cache/call-mode.js';
export type { EntryInfo } from './cache/inspection.js';
export type { LoadOptions, ReadOptions, SetOptions } from './cache/entry.options.js';
export type { SchemaResult, StandardSchema } from './cache/schema.js';
export type { LoadContext } from './cache/read/loader-run.js';
export type { WriteContext } from './cache/write/write-barrier.js';
export type { Serializer, SerializerChoice } from './codec/serializer.js';
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
  LockLostError,
  LockTimeoutError,
  type CacheErrorCode,
  type OptionProblem,
} from './common/errors.js';
export { getCacheToken, getInvalidationListenerToken, getLockToken } from './common/tokens.js';
export { CacheEvict } from './decorators/cache-evict.decorator.js';
export { Cacheable } from './decorators/cacheable.decorator.js';
export { InjectCache } from './decorators/inject-cache.decorator.js';
export {
  OnInvalidation,
  type OnInvalidationOptions,
} from './decorators/on-invalidation.decorator.js';
export { NoCache } from './decorators/no-cache.decorator.js';
export { CacheEvictInterceptor } from './http/cache-evict.interceptor.js';
export { CacheableInterceptor } from './http/cacheable.interceptor.js';
export { requestMemo, RequestMemoInterceptor } from './http/request-memo.js';
export type {
  CacheableHttpOptions,
  CacheableOptions,
  CacheEvictOptions,
} from './http/http.options.js';
export type { Key, KeyPart } from './keys/encode-key.js';
export { escapeGlob } from './keys/glob.js';
export { typedKey, type KeyOf, type TypedKey } from './keys/typed-key.js';
export type { Lock } from './locks/held-lock.js';
export type { LockOptions } from './locks/lock.options.js';
export { LockProvider, type LockNames } from './locks/lock.provider.js';
export type {
  CacheRegistration,
  RedisCacheAsyncOptions,
  RedisCacheOptionsFactory,
} from './module/module-definition.js';
export {
  InvalidationOptions,
  L1Options,
  LeaseOptions,
  TimeoutOptions,
} from './module/nested.options.js';
export {
  CompressionOptions,
  EncryptionOptions,
  type EncryptionKey,
} from './module/payload.options.js';
export { RedisCacheOptions } from './module/redis-cache.options.js';
export {
  ClusterTopologyOptions,
  MemoryTopologyOptions,
  ShardedTopologyOptions,
  ShardOptions,
  SingleTopologyOptions,
  type TopologyOptions,
} from './module/topology.options.js';
export type {
  CacheMessage,
  CacheMessages,
  ErrorMessage,
  EvictMessage,
  HitMessage,
  HitSource,
  LoadMessage,
  MissMessage,
  SetMessage,
  WaitMessage,
} from './observe/channels.js';
export type { CacheErrorEvent } from './observe/reporter.js';
export type { CacheCounts, CacheStats } from './observe/stats.js';
export { RedisCacheModule } from './redis-cache.module.js';
