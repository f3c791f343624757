import type { Cluster, Redis } from 'ioredis';

/** `host:port`, as the table of slots calls it. */
export const nameOfNode = ({ options }: Redis): string => `${options.host}:${options.port}`;

/** The master that has a slot, as far as the client knows; undefined before it has asked. */
export const ownerOf = (cluster: Cluster, slot: number): string | undefined =>
  cluster.slots[slot]?.[0];

/** The connection to a master; undefined if the client has none of that name. */
export function masterNamed(cluster: Cluster, name: string): Redis | undefined {
  return cluster.nodes('master').find((node) => nameOfNode(node) === name);
}

/** All masters that have slots, each once. */
export function ownersIn(cluster: Cluster): string[] {
  const owners = new Set<string>();
  // A loop: there are 16 384, and they are looked at whenever the table of slots has been read again.
  for (const nodes of cluster.slots) if (nodes?.[0] !== undefined) owners.add(nodes[0]);
  return [...owners];
}
