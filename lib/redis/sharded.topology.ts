import type { Redis } from 'ioredis';
import { murmur3 } from '../common/hash.js';
import { routedPartOf } from '../keys/hash-tag.js';
import { closeConnection } from './closing.js';
import {
  connectOnce,
  createConnection,
  createPubSubClient,
  type ConnectionContext,
} from './connection.js';
import { Rendezvous, type Candidate } from './rendezvous.js';
import { listedShard, topologyIdOf, type ListedShard } from './shard-list.js';
import type { Shard, Topology } from './topology.js';
import type { ShardedTopologyOptions } from './topology.options.js';

/** A server of ours; a key always takes the same connection. */
type Server = readonly { readonly name: string; readonly client: Redis }[];

interface Place extends Candidate {
  readonly server: Server;
}

/**
 * Several servers, each with a share of the keys; equal hash tags are together. A server that is down keeps its share:
 * given to its neighbours meanwhile, keys would come back with it in the state in which it left.
 */
export class ShardedTopology implements Topology {
  readonly kind = 'sharded';
  readonly topologyId: number;
  readonly formerTopologyId: number | undefined;
  private readonly servers: readonly Server[];
  private readonly onlyFormer: readonly Server[];
  private readonly present: Rendezvous<Place>;
  private readonly former: Rendezvous<Place> | undefined;
  private connecting: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    { shards, previousShards, connections = 1 }: ShardedTopologyOptions,
    private readonly context: ConnectionContext,
  ) {
    const opened = new Map<string, Server>();
    const placeOf = (shard: ListedShard, label: string): Place => {
      const id = `${shard.name} ${shard.server}`;
      const server = opened.get(id) ?? openServer({ ...shard, name: label }, connections, context);
      opened.set(id, server);
      return { ...shard, server };
    };
    const list = shards.map(listedShard);
    this.topologyId = topologyIdOf(list);
    this.present = new Rendezvous(list.map((shard) => placeOf(shard, shard.name)));
    this.servers = [...opened.values()];
    if (previousShards?.length) {
      const before = previousShards.map(listedShard);
      this.formerTopologyId = topologyIdOf(before);
      this.former = new Rendezvous(before.map((s) => placeOf(s, `${s.name} (former)`)));
    }
    this.onlyFormer = [...opened.values()].slice(this.servers.length);
  }

  shardOf(key: string): Shard {
    const hash = hashOf(key);
    return connectionTo(this.present.ownerOf(hash).server, hash);
  }

  shards(): readonly Shard[] {
    return this.servers.map((server) => server[0]!);
  }

  formerOwnersOf(key: string): readonly Shard[] {
    if (!this.former) return [];
    const hash = hashOf(key);
    const { server } = this.former.ownerOf(hash);
    return server === this.present.ownerOf(hash).server ? [] : [connectionTo(server, hash)];
  }

  formerShards(): readonly Shard[] {
    return this.onlyFormer.map((server) => server[0]!);
  }

  connections(): readonly Shard[] {
    return [...this.servers, ...this.onlyFormer].flat();
  }

  createPubSubClient(shard: Shard): Redis {
    return createPubSubClient(shard.client as Redis, this.context);
  }

  connect(): Promise<void> {
    return (this.connecting ??= this.each((client) => connectOnce(client, this.context)));
  }

  close(): Promise<void> {
    return (this.closing ??= this.each((client) => closeConnection(client, this.context.clock)));
  }

  private async each(step: (client: Redis) => Promise<void>): Promise<void> {
    await Promise.all(this.connections().map(({ client }) => step(client as Redis)));
  }
}

/** Its connections, not connected yet. */
function openServer(
  { name, url, redis }: ListedShard,
  connections: number,
  context: ConnectionContext,
): Server {
  const onError = (cause: Error): void =>
    context.onError(new Error(`${name}: ${cause.message}`, { cause }));
  return Array.from({ length: connections }, () => ({
    name,
    client: createConnection({ url, redis }, { ...context, onError }),
  }));
}

const hashOf = (key: string): number => murmur3(routedPartOf(key));

const connectionTo = (server: Server, hash: number): Shard => server[hash % server.length]!;
