import type { OpenCache } from './cache.js';
import { oursCache } from './ours.js';
import { bentocache, cacheable, cacheManager, layeredLoader } from './peer-caches.js';
import { ioredis, nodeRedis } from './raw-clients.js';

/** Everybody, this cache first. */
export const ALL: readonly OpenCache[] = [
  oursCache,
  ioredis('ioredis'),
  ioredis('ioredis, auto-pipelining', { enableAutoPipelining: true }),
  ioredis('ioredis, one MGET a tick', { together: true }),
  nodeRedis,
  bentocache,
  cacheable,
  cacheManager,
  layeredLoader,
];
