import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';

/** No server: entries live in this process. */
export interface MemoryTopologyOptions {
  type: 'memory';
}

/** One Redis server, or one master that Sentinel finds. */
export interface SingleTopologyOptions {
  type: 'single';
  /**
   * `redis://user:password@host:6379/0`, `rediss://…` for TLS, `/path/to.sock?username=…&password=…&db=0` for a socket,
   * also with `unix://` before it. What the URL says goes before `redis`. Default `redis://localhost:6379`.
   */
  url?: string;
  /** Options of the client, before the defaults of this package; `sentinels` and `name` make it Sentinel. */
  redis?: RedisOptions;
  /**
   * A client of the application, or a function that makes one per connection. It is used as it is, with its own
   * timeouts and retries, and is never closed by the cache, also when the function made it. One with `keyPrefix` is refused.
   */
  client?: Redis | (() => Redis);
  /**
   * Connections to the server, 1..32, default 1; keys are spread over them. One does for nearly everybody, since commands
   * are pipelined: more help where large values hold up small ones. A given client is one connection.
   */
  connections?: number;
}

/** One of several servers. */
export interface ShardOptions {
  /** What decides its share of the keys, so that another host of the same name has the same keys. Default host:port. */
  name?: string;
  /** As for a single server. */
  url: string;
  /** Its share of the keys is this over the sum of all weights. Default 1. */
  weight?: number;
  redis?: RedisOptions;
}

/** Several Redis servers that know nothing of each other, each with a share of the keys. */
export interface ShardedTopologyOptions {
  type: 'sharded';
  /** At least one, with different names. Equal lists of names and weights, in whatever order, place keys alike. */
  shards: readonly (string | ShardOptions)[];
  /** The list of processes that run beside this one for now: what is evicted here is evicted on their servers, too. */
  previousShards?: readonly (string | ShardOptions)[];
  /** To each server, 1..32, default 1. */
  connections?: number;
}

/** A Redis Cluster. */
export interface ClusterTopologyOptions {
  type: 'cluster';
  /**
   * `host:port`, or a URL with `redis://` or `rediss://`, of nodes through which the others are found: one is enough, several
   * help when it is down. User, password and TLS of a URL hold for all nodes. Not needed beside a `client`.
   */
  nodes?: readonly (string | { host: string; port: number })[];
  /** Options of the client, before the defaults of this package; those of the connections are its `redisOptions`. */
  cluster?: ClusterOptions;
  /**
   * A client of the application, or a function that makes one. It is used as it is, with its own timeouts and retries, and
   * is never closed by the cache. One that reads from replicas, pipelines by itself or has a `keyPrefix` is refused.
   */
  client?: Cluster | (() => Cluster);
}

export type ServerTopologyOptions =
  SingleTopologyOptions | ShardedTopologyOptions | ClusterTopologyOptions;
export type TopologyOptions = MemoryTopologyOptions | ServerTopologyOptions;
