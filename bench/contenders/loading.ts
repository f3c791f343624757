import type { OpenCache } from './cache.js';
import { oursCache } from './ours.js';
import { bentocache, cacheable, cacheManager, layeredLoader } from './peer-caches.js';
import { ioredis } from './raw-clients.js';

/** All that load what is missing, each with all that it has for it. */
export const LOADING: readonly OpenCache[] = [
  oursCache,
  // It has no copies in the process in any case.
  (bench) => ioredis('ioredis: GET, load, SET')(bench, 'redis'),
  bentocache,
  cacheable,
  cacheManager,
  layeredLoader,
];
