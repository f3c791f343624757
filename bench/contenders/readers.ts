import { ioredisGet } from './ioredis.js';
import { ours } from './ours.js';
import type { OpenReader } from './reader.js';

/** What reads are compared with, and then this cache. */
export const READERS: readonly OpenReader[] = [
  ioredisGet('ioredis GET', { parse: 'text' }),
  ioredisGet('ioredis GET + JSON.parse', { parse: 'json' }),
  ioredisGet('ioredis GET, auto-pipelining', { parse: 'text', enableAutoPipelining: true }),
  ioredisGet('ioredis, one MGET a tick + JSON.parse', { parse: 'json', together: true }),
  ours('nestjs-redis-cache get, l1: false', { l1: false }),
];
