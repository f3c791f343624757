import { ValidateNested } from 'class-validator';
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';

import type * as topologies from '../redis/topology.options.js';
import {
  IsCluster,
  IsClusterNodes,
  IsClusterOptions,
  IsNumberFrom,
  IsOneOf,
  IsRedisClient,
  IsRedisOptions,
  IsRedisUrl,
  IsShardName,
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

/** One of several servers. A URL alone stands for one with the defaults. */
export class ShardOptions implements topologies.ShardOptions {
  /** As `url` of a single server. */
  @IsRedisUrl()
  url!: string;

  /**
   * 1 to 255 visible characters of ASCII. It decides which keys are there: another host under the same name has the
   * same keys, a new name has others. Give one wherever a host may be replaced; it may look like `host:port`.
   * @default host and port of the url
   */
  @IsShardName()
  name?: string;

  /**
   * Its share of the keys is this over the sum of all weights, 0.01 to 10 000; a server twice as large gets twice as much.
   * @default 1
   */
  @IsNumberFrom({ min: 0.01, max: 10_000 })
  weight?: number = 1;

  /** Options of ioredis, without `keyPrefix`. What the url says goes first. */
  @IsRedisOptions()
  redis?: RedisOptions;
}

/** Several Redis servers that know nothing of each other, each with a share of the keys. */
export class ShardedTopologyOptions implements topologies.ShardedTopologyOptions {
  @IsOneOf('sharded')
  type = 'sharded' as const;

  /** 1 to 256 servers with different names, the same in every process; their order does not matter. */
  @ValidateNested()
  shards: (string | ShardOptions)[] = [];

  /**
   * The `shards` of processes that run beside this one, while the list is being changed: what is evicted here is evicted
   * on their servers as well. See docs/topologies.md for the steps.
   * @default none
   */
  @ValidateNested()
  previousShards?: (string | ShardOptions)[] = [];

  /**
   * Connections to each server, 1 to 32; as for a single server.
   * @default 1
   */
  @IsNumberFrom({ min: 1, max: 32, whole: true })
  connections?: number = 1;
}

/** A Redis Cluster: by `nodes`, or by a `client`. */
export class ClusterTopologyOptions implements topologies.ClusterTopologyOptions {
  @IsOneOf('cluster')
  type = 'cluster' as const;

  /**
   * `host:port`, a URL with `redis://` or `rediss://`, or `{ host, port }` of nodes through which the others are found. One is
   * enough, several help while it is down. User, password and TLS of a URL hold for all nodes.
   */
  @IsClusterNodes()
  nodes?: (string | { host: string; port: number })[];

  /**
   * Options of ioredis' Cluster; those of its connections are its `redisOptions`. `scaleReads` other than 'master',
   * `enableAutoPipelining` and `keyPrefix` are refused.
   */
  @IsClusterOptions()
  cluster?: ClusterOptions;

  /**
   * A client of the application's own, or a function that makes one. It is used as it is, with its own timeouts and retries,
   * and is never closed by the cache. `nodes` have no meaning beside it.
   */
  @IsCluster()
  client?: Cluster | (() => Cluster);
}

export type TopologyOptions =
  MemoryTopologyOptions | SingleTopologyOptions | ShardedTopologyOptions | ClusterTopologyOptions;
