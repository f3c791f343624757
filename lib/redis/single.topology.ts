import type { Redis } from 'ioredis';
import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import { isClient, noClient } from './given-client.js';
import { closeConnection } from './closing.js';
import {
  connectOnce,
  createConnection,
  createPubSubClient,
  type ConnectionContext,
} from './connection.js';
import type { Shard, Topology } from './topology.js';
import type { SingleTopologyOptions } from './topology.options.js';

/** One server, over one connection or several; a key always takes the same one. */
export class SingleTopology implements Topology {
  readonly kind = 'single';
  readonly topologyId = 0;
  readonly formerTopologyId = undefined;
  /** One per connection, all under the server's name. */
  private readonly links: readonly { readonly name: string; readonly client: Redis }[];
  private readonly injected: boolean;
  private connecting: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    options: SingleTopologyOptions,
    private readonly context: ConnectionContext,
  ) {
    this.injected = options.client !== undefined;
    const clients = clientsOf(options, context);
    const problems = clients.flatMap(problemsOf);
    if (problems.length > 0)
      throw new CacheOptionsError('the connection to Redis', problems.slice(0, 1));
    this.links = clients.map((client) => ({ name: nameOf(client), client }));
  }

  shardOf(key: string): Shard {
    return this.links.length === 1 ? this.links[0]! : this.links[spread(key) % this.links.length]!;
  }

  shards(): readonly Shard[] {
    return this.links.slice(0, 1);
  }

  formerOwnersOf(): readonly Shard[] {
    return [];
  }

  formerShards(): readonly Shard[] {
    return [];
  }

  connections(): readonly Shard[] {
    return this.links;
  }

  createPubSubClient(_shard: Shard): Redis {
    return createPubSubClient(this.links[0]!.client, this.context);
  }

  connect(): Promise<void> {
    return (this.connecting ??= this.each((client) => connectOnce(client, this.context)));
  }

  close(): Promise<void> {
    if (this.injected) return Promise.resolve();
    return (this.closing ??= this.each((client) => closeConnection(client, this.context.clock)));
  }

  private async each(step: (client: Redis) => Promise<void>): Promise<void> {
    await Promise.all(this.links.map(({ client }) => step(client)));
  }
}

function clientsOf(options: SingleTopologyOptions, context: ConnectionContext): Redis[] {
  const { client, connections = 1 } = options;
  if (typeof client === 'object') return [client];
  const create = client ?? (() => createConnection(options, context));
  return Array.from({ length: connections }, create);
}

function problemsOf(client: Redis): OptionProblem[] {
  if (!isClient(client)) return [noClient(client)];
  if (client.isCluster)
    return [
      {
        path: 'topology.client',
        given: 'a Cluster',
        accepted: "a Redis; a Cluster with type 'cluster'",
      },
    ];
  // It would be put before keys, but not before channels, patterns or keys inside scripts.
  if (client.options.keyPrefix)
    return [
      {
        path: 'topology',
        given: 'a client with keyPrefix',
        accepted: 'a client without one; `namespace` is the prefix of the cache',
      },
    ];
  return [];
}

function nameOf({ options }: Redis): string {
  if (options.sentinels) return `sentinel ${options.name}`;
  return options.path ?? `${options.host}:${options.port}`;
}

/** FNV-1a over the UTF-16 units: cheap, and even enough to choose among 32 connections. */
function spread(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
