import { portionsOf } from '../common/portions.js';
import type { Topology } from '../redis/topology.js';

/** Keys in one message about evicts. */
const TOLD_AT_ONCE = 100;
/** Keys under way at a time: more than a server is sent at a time would wait in line, and in the end be refused. */
const IN_ONE_TURN = 2_000;

/** The groups of keys that one message can tell of; each two thousand wait for those before them. */
export function* evictTurns(
  keys: readonly string[],
  topology: Topology,
): Generator<readonly string[][]> {
  for (const some of portionsOf(keys, IN_ONE_TURN)) yield groupsOf(some, topology);
}

/**
 * Keys of one server that one command can evict, and one message tell of, at most 100. In a cluster each key is by itself.
 */
function groupsOf(keys: readonly string[], topology: Topology): string[][] {
  if (topology.kind === 'cluster') return keys.map((key) => [key]);
  const groups: string[][] = [];
  const open = new Map<unknown, string[]>();
  for (const key of keys) {
    const connection = topology.shardOf(key).client;
    let group = open.get(connection);
    if (!group || group.length === TOLD_AT_ONCE) {
      group = [];
      groups.push(group);
      open.set(connection, group);
    }
    group.push(key);
  }
  return groups;
}
