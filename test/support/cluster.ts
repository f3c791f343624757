import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis, type ClusterOptions } from 'ioredis';
import { oncePerRun } from './once-per-run.js';
import { freePort } from './ports.js';
import type { TestServer } from './server.js';
import { startServer } from './start-server.js';
import { waitFor } from './wait-for.js';

export interface TestClusterOptions {
  /** Default 3. */
  masters?: number;
  /** Of each master; default 1. */
  replicas?: 0 | 1;
  /** Further masters, known to all and without a slot; default 0. */
  idle?: number;
  /** After so long a silent node is taken for failed; default 2000. */
  nodeTimeoutMs?: number;
  /** Further arguments of each server. */
  args?: readonly string[];
}

const SLOTS = 16_384;
const HEALTHY_WITHIN_MS = 20_000;
/** Keys that one MIGRATE takes along. */
const KEYS_AT_ONCE = 100;

/** One server of a cluster, with a connection past everything that is tested. */
export class ClusterNode {
  private constructor(
    readonly server: TestServer,
    readonly busPort: number,
    readonly admin: Redis,
    readonly id: string,
  ) {}

  static async start({ nodeTimeoutMs = 2_000, args = [] }: TestClusterOptions) {
    const busPort = await freePort();
    const clustered = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`];
    const timeouts = ['--cluster-node-timeout', `${nodeTimeoutMs}`];
    // A replica is told to clients only after its master's first PING.
    const replication = ['--repl-ping-replica-period', '1', '--repl-diskless-sync-delay', '0'];
    const coverage = ['--cluster-require-full-coverage', 'no'];
    // A master that has given its last slot away stays one.
    const roles = ['--cluster-allow-replica-migration', 'no'];
    const server = await startServer({
      args: [...clustered, ...timeouts, ...replication, ...coverage, ...roles, ...args],
    });
    const admin = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    admin.on('error', () => undefined);
    return new ClusterNode(server, busPort, admin, (await admin.cluster('MYID')) as string);
  }

  get address(): string {
    return `${this.server.host}:${this.server.port}`;
  }

  cluster(...args: (string | number)[]): Promise<unknown> {
    return this.admin.call('CLUSTER', ...args);
  }

  async stop(): Promise<void> {
    this.admin.disconnect();
    await this.server.stop();
  }
}

/** A cluster of the test's own, whose nodes may be frozen and killed one by one; 2.2 s as processes. */
export class TestCluster {
  private readonly clients: Cluster[] = [];

  private constructor(
    /** Masters first, then their replicas in the same order, then those without a slot. */
    readonly nodes: readonly ClusterNode[],
  ) {}

  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const { masters = 3, replicas = 1, idle = 0 } = options;
    const count = masters * (1 + replicas) + idle;
    const nodes = await Promise.all(
      Array.from({ length: count }, () => ClusterNode.start(options)),
    );
    const cluster = new TestCluster(nodes);
    try {
      await cluster.create(masters, replicas);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** `host:port` of each. */
  get seeds(): string[] {
    return this.nodes.map(({ address }) => address);
  }

  /** A client with the defaults of ioredis, closed with the cluster. */
  client(options?: ClusterOptions): Cluster {
    const seeds = this.nodes.map(({ server: { host, port } }) => ({ host, port }));
    const client = new Cluster(seeds, options);
    client.on('error', () => undefined);
    this.clients.push(client);
    return client;
  }

  /** The master of a slot, as far as `asked` knows. */
  async ownerOf(slot: number, asked = this.nodes[0]!): Promise<ClusterNode> {
    const ranges = (await asked.cluster('SLOTS')) as [number, number, [string, number, string]][];
    const [, , [, , id]] = ranges.find(([from, to]) => from <= slot && slot <= to)!;
    return this.nodes.find((node) => node.id === id)!;
  }

  /** Moves a slot with its keys to another master, in the steps in which the tools for that do. */
  async moveSlot(slot: number, to: ClusterNode, { keysAtOnce = KEYS_AT_ONCE } = {}): Promise<void> {
    const from = await this.ownerOf(slot);
    await to.cluster('SETSLOT', slot, 'IMPORTING', from.id);
    await from.cluster('SETSLOT', slot, 'MIGRATING', to.id);
    const { host, port } = to.server;
    for (;;) {
      const keys = (await from.cluster('GETKEYSINSLOT', slot, keysAtOnce)) as string[];
      if (keys.length === 0) break;
      await from.admin.call('MIGRATE', host, port, '', 0, 5_000, 'KEYS', ...keys);
    }
    for (const node of [to, from]) await node.cluster('SETSLOT', slot, 'NODE', to.id);
    await waitFor(() => this.agreeOn(slot, to), { timeoutMs: HEALTHY_WITHIN_MS });
  }

  /** Whether the word has reached every node. One that knows an older epoch could not take over a slot for good. */
  private async agreeOn(slot: number, owner: ClusterNode): Promise<boolean> {
    const seen = this.nodes.map(async (node) => {
      const info = (await node.cluster('INFO')) as string;
      const epoch = /cluster_current_epoch:(\d+)/.exec(info)![1]!;
      return (await this.ownerOf(slot, node)) === owner ? epoch : undefined;
    });
    const [first, ...others] = await Promise.all(seen);
    return first !== undefined && others.every((epoch) => epoch === first);
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.disconnect();
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** Faster than `redis-cli --cluster create`; the two seconds that are left are a pause of the server's. */
  private async create(masters: number, replicas: 0 | 1): Promise<void> {
    const { nodes } = this;
    await Promise.all(nodes.map((node, i) => node.cluster('SET-CONFIG-EPOCH', i + 1)));
    const firstSlot = (i: number): number => Math.round((SLOTS * i) / masters);
    const heads = nodes.slice(0, masters);
    await Promise.all(
      heads.map((node, i) => node.cluster('ADDSLOTSRANGE', firstSlot(i), firstSlot(i + 1) - 1)),
    );
    for (const [i, node] of nodes.entries())
      for (const { server, busPort } of nodes.slice(0, i))
        await node.cluster('MEET', server.host, server.port, busPort);
    const followers = nodes.slice(masters, masters * (1 + replicas));
    await Promise.all(
      followers.map((node, i) => untilDone(() => node.cluster('REPLICATE', heads[i]!.id))),
    );
    await Promise.all(nodes.map((node) => untilHealthy(node, { masters, hosts: 1 + replicas })));
  }
}

/** It knows all masters, with their replicas, and takes writes. */
async function untilHealthy(
  node: ClusterNode,
  expected: { masters: number; hosts: number },
): Promise<void> {
  await untilDone(async () => {
    const ranges = (await node.cluster('SLOTS')) as unknown[][];
    const isComplete = ranges.every((range) => range.length === 2 + expected.hosts);
    const info = (await node.cluster('INFO')) as string;
    if (ranges.length !== expected.masters || !isComplete || !/cluster_state:ok/.test(info))
      throw new Error(`a node of the cluster is not ready: ${info}`);
  });
}

async function untilDone(step: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + HEALTHY_WITHIN_MS;
  for (;;) {
    try {
      return void (await step());
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

let shared: Promise<readonly string[]> | undefined;

/**
 * Seeds of the run's three masters, started by whoever asks first and ended with the run: use keys of your own, and break
 * nothing.
 */
export function sharedCluster(): Promise<readonly string[]> {
  return (shared ??= oncePerRun('cluster', async () => {
    const { nodes, seeds } = await TestCluster.start({ replicas: 0 });
    for (const { admin } of nodes) admin.disconnect();
    return seeds;
  }));
}
