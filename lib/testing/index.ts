export { CacheTesting, getCacheTestingToken } from './cache-testing.js';
export { Faults, type FaultKind } from './faults.js';
export { expectLoads, loadsOf } from './load-counter.js';
export { RedisCacheTestingModule } from './redis-cache-testing.module.js';
export { createTestCache, type TestCache } from './test-cache.js';
export { TestClock } from './test-clock.js';
