export { CacheableInterceptor as CacheInterceptor } from '../http/cacheable.interceptor.js';
export { CACHE_MANAGER, CacheManagerModule } from './cache-manager.module.js';
export { Cache, type WrapOptions } from './cache.js';
export { CacheKey, CacheTTL } from './decorators.js';
