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
