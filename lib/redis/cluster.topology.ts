import { Redis, type Cluster } from 'ioredis';
import { CacheOptionsError } from '../common/errors.js';
import { hashSlot } from '../keys/hash-slot.js';
import { createCluster, problemsOfCluster, seedsOf, type Seed } from './cluster-client.js';
import { masterNamed, nameOfNode, ownerOf } from './cluster-nodes.js';
import { ClusterRefresh } from './cluster-refresh.js';
import { closeConnection } from './closing.js';
import { connectOnce, createPubSubClient, type ConnectionContext } from './connection.js';
import type { Shard, Topology } from './topology.js';
import type { ClusterTopologyOptions } from './topology.options.js';

/** As many nodes as a cluster should have at most; of more, the names are forgotten and made again. */
const MOST_OWNERS = 1_000;
const REFRESH_MS = 5_000;

/**
 * A Redis Cluster, behind one client that follows its slots. A key's shard has the name of the master that has it now, so
 * that masters are told apart in errors and in the order of messages; the client is the same for all.
 */
export class ClusterTopology implements Topology {
  readonly kind = 'cluster';
  readonly topologyId = 0;
  readonly formerTopologyId = undefined;
  private readonly cluster: Cluster;
  private readonly injected: boolean;
  private readonly refresh: ClusterRefresh | undefined;
  private readonly seeds: readonly Seed[];
  private readonly whole: Shard;
  private readonly owners = new Map<string, Shard>();
  private turn = Math.floor(Math.random() * MOST_OWNERS);
  private connecting: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    options: ClusterTopologyOptions,
    private readonly context: ConnectionContext,
  ) {
    const { client } = options;
    this.injected = client !== undefined;
    this.cluster =
      typeof client === 'function' ? client() : (client ?? createCluster(options, context));
    const problems = problemsOfCluster(this.cluster);
    if (problems.length > 0) throw new CacheOptionsError('the connection to Redis', problems);
    this.seeds = seedsOf(this.cluster);
    const [{ host, port } = { host: 'without', port: 'seeds' }] = this.seeds;
    this.whole = { name: `cluster ${host}:${port}`, client: this.cluster };
    const intervalMs = options.cluster?.slotsRefreshInterval ?? REFRESH_MS;
    if (!this.injected)
      this.refresh = new ClusterRefresh(this.cluster, { clock: context.clock, intervalMs });
  }

  shardOf(key: string): Shard {
    const owner = ownerOf(this.cluster, hashSlot(key));
    return owner === undefined ? this.whole : this.shardAt(owner);
  }

  shards(): readonly Shard[] {
    return [this.whole];
  }

  formerOwnersOf(): readonly Shard[] {
    return [];
  }

  formerShards(): readonly Shard[] {
    return [];
  }

  connections(): readonly Shard[] {
    const masters = this.cluster.nodes('master');
    return [this.whole, ...masters.map((client) => ({ name: nameOfNode(client), client }))];
  }

  /** To another master each time: every node hears every message, and the last one may have gone for good. */
  createPubSubClient({ name }: Shard): Redis {
    const masters = this.cluster.nodes('master');
    const node = masterNamed(this.cluster, name) ?? masters[this.turn++ % masters.length];
    return createPubSubClient(node ?? this.seedClient(), this.context);
  }

  connect(): Promise<void> {
    return (this.connecting ??= this.connectAll());
  }

  close(): Promise<void> {
    return (this.closing ??= this.injected ? Promise.resolve() : this.closeAll());
  }

  private shardAt(name: string): Shard {
    let shard = this.owners.get(name);
    if (shard) return shard;
    if (this.owners.size >= MOST_OWNERS) this.owners.clear();
    this.owners.set(name, (shard = { name, client: this.cluster }));
    return shard;
  }

  private seedClient(): Redis {
    const { redisOptions } = this.cluster.options;
    const seed = this.seeds[this.turn % this.seeds.length];
    return new Redis({ ...redisOptions, ...seed, lazyConnect: true });
  }

  private async connectAll(): Promise<void> {
    const { clock, connectTimeoutMs } = this.context;
    const startedAt = clock.monotonic();
    await connectOnce(this.cluster, this.context);
    const leftMs = connectTimeoutMs - (clock.monotonic() - startedAt);
    if (this.cluster.status !== 'ready' || leftMs <= 0) return;
    const context = { ...this.context, connectTimeoutMs: leftMs };
    await Promise.all(this.cluster.nodes('master').map((node) => connectOnce(node, context)));
  }

  private async closeAll(): Promise<void> {
    this.refresh?.stop();
    await Promise.all(
      this.cluster.nodes().map((node) => closeConnection(node, this.context.clock)),
    );
    this.cluster.disconnect();
  }
}
