import type { Cluster, Redis } from 'ioredis';
import type { Shard } from './topology.js';

/**
 * Holds back what is sent to these servers, of a cluster to all masters, until the returned function is called: it goes out in one
 * write to each. A write takes longer than all else that a small command costs.
 */
export function holdWrites(shards: readonly Shard[]): () => void {
  const streams = shards.flatMap(connectionsOf).flatMap(({ stream }) => stream ?? []);
  for (const stream of streams) stream.cork();
  return () => {
    for (const stream of streams) stream.uncork();
  };
}

/** What is sent to these servers within `send` goes out in one write to each. */
export function inOneWrite<T>(shards: readonly Shard[], send: () => T): T {
  const release = holdWrites(shards);
  try {
    return send();
  } finally {
    release();
  }
}

/** Those that have not been connected yet have no stream. */
const connectionsOf = ({ client }: Shard): { stream: Redis['stream'] | undefined }[] =>
  client.isCluster ? (client as Cluster).nodes('master') : [client as Redis];
