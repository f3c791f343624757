import { ClusterTopology } from './cluster.topology.js';
import type { ConnectionContext } from './connection.js';
import { ShardedTopology } from './sharded.topology.js';
import { SingleTopology } from './single.topology.js';
import type { Topology } from './topology.js';
import type { ServerTopologyOptions } from './topology.options.js';

/** Not connected yet. Throws `CacheOptionsError` for a client that cannot be used. */
export function createTopology(
  options: ServerTopologyOptions,
  context: ConnectionContext,
): Topology {
  switch (options.type) {
    case 'single':
      return new SingleTopology(options, context);
    case 'sharded':
      return new ShardedTopology(options, context);
    case 'cluster':
      return new ClusterTopology(options, context);
  }
}
