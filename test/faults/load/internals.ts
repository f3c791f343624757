import type { Cluster, Redis } from 'ioredis';
import type { AssembledCache } from '../../../lib/module/assemble.js';
import type { Topology } from '../../../lib/redis/topology.js';
import type { CallGuard } from '../../../lib/resilience/call-guard.js';

/** What no application can see, and what must not grow nevertheless. */
export function openInternals(cache: AssembledCache): {
  queued: () => number;
  opened: () => number;
} {
  const store = cache.engine['parts'].store as unknown as {
    topology: Topology;
    options: { guard: CallGuard };
  };
  const clients = (): Redis[] =>
    store.topology
      .shards()
      .flatMap(({ client }) =>
        client.isCluster ? (client as Cluster).nodes('master') : [client as Redis],
      );
  const lengthOf = (client: Redis): number =>
    (client as unknown as { commandQueue: { length: number } }).commandQueue.length;
  return {
    queued: () => clients().reduce((sum, client) => sum + lengthOf(client), 0),
    opened: () =>
      [...store.options.guard.health().values()].reduce((sum, { opened }) => sum + opened, 0),
  };
}
