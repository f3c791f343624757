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
  return options.type === 'single'
    ? new SingleTopology(options, context)
    : new ShardedTopology(options, context);
}
