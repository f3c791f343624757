export {
  RedisCacheHealth,
  type CacheHealth,
  type HealthCheckOptions,
  type NodeHealth,
} from './redis-cache.health.js';
