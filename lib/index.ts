export type { InvalidationEvent, InvalidationHandler } from './bus/invalidation-feed.js';
export { InvalidationListener } from './bus/invalidation-listener.js';
export { CacheService } from './cache/cache.service.js';
export type { CallMode } from './cache/call-mode.js';
export type { CounterOptions } from './cache/counters.js';
export type { EntryInfo } from './cache/inspection.js';
export type { LoadOptions, ReadOptions, SetOptions } from './cache/entry.options.js';
export type { LifeOptions } from './cache/life.options.js';
export { RawStrings, type RawSetOptions } from './cache/raw-strings.js';
export type { SchemaResult, StandardSchema } from './cache/schema.js';
export type { LoadContext } from './cache/read/load-context.js';
export type { BatchLoadContext, Pairs } from './cache/read/batch-call.js';
export type { RefreshAhead } from './cache/staleness.js';
export { WriteBehind } from './cache/write/write-behind.js';
export type { QueuedWrite, WriteBehindOptions } from './cache/write/write-behind.options.js';
export type { BatchWriteContext, WriteContext } from './cache/write/write-through.js';
export type { Serializer, SerializerChoice } from './codec/serializer.js';
export type { Duration } from './common/duration.js';
export {
  CacheBatchError,
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
  type EvictKind,
  type FailedKey,
  type OptionProblem,
} from './common/errors.js';
export type { TransactionAdapter } from './common/transaction.js';
export { getCacheToken, getInvalidationListenerToken, getLockToken } from './common/tokens.js';
export { CacheEvict } from './decorators/cache-evict.decorator.js';
export { CachePut } from './decorators/cache-put.decorator.js';
export { Cacheable } from './decorators/cacheable.decorator.js';
export { InjectCache } from './decorators/inject-cache.decorator.js';
export { Locked } from './decorators/locked.decorator.js';
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
  CachePutOptions,
} from './http/http.options.js';
export type { Key, KeyPart } from './keys/encode-key.js';
export { escapeGlob } from './keys/glob.js';
export { typedKey, type KeyOf, type TypedKey } from './keys/typed-key.js';
export type { Lock } from './locks/held-lock.js';
export type { LockOptions } from './locks/lock.options.js';
export { LockProvider, type LockNames } from './locks/lock.provider.js';
export type { LockedOptions } from './methods/locked.method.js';
export type {
  CacheableMethodOptions,
  CacheEvictMethodOptions,
  CachePutMethodOptions,
} from './methods/method-types.js';
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
export type { NodeInfo } from './redis/node-survey.js';
export { RedisCacheModule } from './redis-cache.module.js';
export {
  readThrough,
  refreshAhead,
  writeBehind,
  writeThrough,
  type WriteBehindStrategyOptions,
} from './strategies/strategies.js';
export type {
  CacheStrategy,
  Source,
  StrategyFactory,
  StrategyOptions,
} from './strategies/strategy.js';
