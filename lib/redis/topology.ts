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
  /** Of the layout, 32 bits: entries are written with it. 0 where one server, or one cluster, has all keys. */
  readonly topologyId: number;
  /** Of the layout that processes beside this one may have: where both look at the same server, its entries are true. */
  readonly formerTopologyId: number | undefined;
  /** Where those processes look for the key, if elsewhere: what is evicted has to be evicted there as well. */
  formerOwnersOf(key: string): readonly Shard[];
  /** Servers that only those processes use: what concerns every server concerns these, too. Nothing is read from them. */
  formerShards(): readonly Shard[];
  /** Every connection for commands, under the name of its server. */
  connections(): readonly Shard[];
  /** A client for pub/sub on a shard's server, for one connection and not connected yet; who asks for it closes it. */
  createPubSubClient(shard: Shard): Redis;
  /** Resolves when every connection is ready or its first attempt has failed; never rejects, and retries go on. */
  connect(): Promise<void>;
  /** Closes own connections within about half a second, injected ones never. May be called at any time, and twice. */
  close(): Promise<void>;
}
