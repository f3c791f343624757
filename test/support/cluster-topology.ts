import { systemClock } from '../../lib/common/clock.js';
import { ClusterTopology } from '../../lib/redis/cluster.topology.js';
import type { TestCluster } from './cluster.js';

/** Connected to that cluster; to be closed by whoever asks for it. */
export async function connectTo({ seeds }: TestCluster): Promise<ClusterTopology> {
  const topology = new ClusterTopology(
    { type: 'cluster', nodes: seeds },
    { clock: systemClock, connectTimeoutMs: 2_000, onError: () => undefined },
  );
  await topology.connect();
  return topology;
}
