import type { Cluster, Redis } from 'ioredis';

export type RedisClient = Redis | Cluster;

/** The server, or group of servers, that has a key, and a connection to it. */
export interface Shard {
  /** Host and port, or what the application calls it; never with credentials, it stands in errors. */
  readonly name: string;
  readonly client: RedisClient;
}

/** Which server has which key. */
export interface Topology {
  readonly kind: 'single' | 'sharded' | 'cluster';
  shardOf(key: string): Shard;
  /** Each shard once, whatever the number of connections to it. */
  shards(): readonly Shard[];
  /** A client for pub/sub on a shard's server, for one connection and not connected yet; who asks for it closes it. */
  createPubSubClient(shard: Shard): Redis;
  /** Resolves when every connection is ready or its first attempt has failed; never rejects, and retries go on. */
  connect(): Promise<void>;
  /** Closes own connections within about half a second, injected ones never. May be called at any time, and twice. */
  close(): Promise<void>;
}
