import type { Redis, RedisOptions } from 'ioredis';

import type * as topologies from '../redis/topology.options.js';
import {
  IsNumberFrom,
  IsOneOf,
  IsRedisClient,
  IsRedisOptions,
  IsRedisUrl,
} from './option-rules.js';

/** Entries live in this process: no server is needed, and each registration of the module has its own. */
export class MemoryTopologyOptions implements topologies.MemoryTopologyOptions {
  @IsOneOf('memory')
  type = 'memory' as const;
}

/** One Redis server, or one that Sentinel finds: by `url`, by `redis` or by both, or by a `client`; else the local one. */
export class SingleTopologyOptions implements topologies.SingleTopologyOptions {
  @IsOneOf('single')
  type = 'single' as const;

  /** `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, or the path of a unix socket. */
  @IsRedisUrl()
  url?: string;

  /** Options of ioredis. `sentinels` makes it Sentinel; `keyPrefix` is refused, `namespace` is for that. */
  @IsRedisOptions()
  redis?: RedisOptions;

  /**
   * A client of the application's own, or a function that makes one for each connection. It is used as it is, with its
   * own timeouts, and is never closed by the cache. One with `keyPrefix` is refused.
   */
  @IsRedisClient()
  client?: Redis | (() => Redis);

  /**
   * Connections to the server, 1 to 32. One is multiplexed and enough, unless single values are so large that the
   * others wait behind them.
   * @default 1
   */
  @IsNumberFrom({ min: 1, max: 32, whole: true })
  connections?: number = 1;
}

export type TopologyOptions = MemoryTopologyOptions | SingleTopologyOptions;
