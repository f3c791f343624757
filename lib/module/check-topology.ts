import type { OptionProblem } from '../common/errors.js';
import { problemsOfCluster, problemsOfClusterOptions, seedOf } from '../redis/cluster-client.js';
import { listedShard, type ListedShard } from '../redis/shard-list.js';
import { describeValue } from './describe-value.js';
import { isObject } from './given-fields.js';
import { isCluster } from './option-rules.js';
import type {
  ClusterTopologyOptions,
  ShardedTopologyOptions,
  ShardOptions,
  SingleTopologyOptions,
  TopologyOptions,
} from './topology.options.js';

/** Each shard costs every process two connections. */
const MOST_SHARDS = 256;

/** What is wrong in a topology only together. Its fields may be wrong by themselves, which has been noted then. */
export function checkTopology(topology: TopologyOptions, problems: OptionProblem[]): void {
  if (topology.type === 'single') checkSingle(topology, problems);
  if (topology.type === 'sharded') checkSharded(topology, problems);
  if (topology.type === 'cluster') checkCluster(topology, problems);
}

/** A client that exists beside options to make one; several connections of one client. */
function checkSingle(topology: SingleTopologyOptions, problems: OptionProblem[]): void {
  const idle = (['url', 'redis'] as const).filter((option) => topology[option] !== undefined);
  if (topology.client !== undefined && idle.length > 0)
    problems.push({
      path: 'topology',
      given: [...idle, 'client'].join(' and '),
      accepted: 'url and redis, or client, which has its options already',
    });
  if (typeof topology.client === 'object' && topology.connections! > 1)
    problems.push({
      path: 'topology.connections',
      given: `${topology.connections} beside a client`,
      accepted: '1, because a client is one connection; a function makes one for each',
    });
}

function checkCluster(
  { nodes, cluster, client }: ClusterTopologyOptions,
  problems: OptionProblem[],
): void {
  if (client === undefined && !nodes?.length)
    problems.push({
      path: 'topology.nodes',
      given: 'none',
      accepted: 'at least one node, or a client',
    });
  for (const [i, node] of Array.isArray(nodes) ? nodes.entries() : [])
    if (!isNode(node))
      problems.push({
        path: `topology.nodes[${i}]`,
        given: describeValue(node),
        accepted:
          "'host:port', redis://[user:password@]host[:port], rediss:// for TLS, or { host, port }",
      });
  if (client !== undefined && cluster !== undefined)
    problems.push({
      path: 'topology',
      given: 'cluster and client',
      accepted: 'cluster, or client, which has its options already',
    });
  if (isObject(cluster)) problems.push(...problemsOfClusterOptions(cluster, 'topology.cluster'));
  if (isCluster(client)) problems.push(...problemsOfCluster(client));
}

function isNode(node: unknown): boolean {
  if (isObject(node)) return isText(node.host) && isPort(node.port);
  try {
    return isText(node) && isPort(seedOf(node).port);
  } catch {
    return false;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const isPort = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;

function checkSharded(
  { shards, previousShards }: ShardedTopologyOptions,
  problems: OptionProblem[],
): void {
  const accepted = `1 to ${MOST_SHARDS} shards`;
  if (shards?.length === 0) problems.push({ path: 'topology.shards', given: 'none', accepted });
  for (const [option, list = []] of Object.entries({ shards, previousShards })) {
    const path = `topology.${option}`;
    if (list.length > MOST_SHARDS) problems.push({ path, given: `${list.length}`, accepted });
    else checkDistinct(list, path, problems);
  }
}

/** No two shards of one name, and no two that are one server. */
function checkDistinct(
  list: readonly (string | ShardOptions | undefined)[],
  path: string,
  problems: OptionProblem[],
): void {
  const seen: (ListedShard & { at: string })[] = [];
  for (const [i, given] of list.entries()) {
    const shard = listed(given);
    if (!shard) continue;
    const at = `${path}[${i}]`;
    const namesake = seen.find(({ name }) => name === shard.name);
    const same = seen.find(({ server }) => server === shard.server);
    if (namesake)
      problems.push({
        path: at,
        given: `the name '${shard.name}', as ${namesake.at}`,
        accepted: 'a name of its own; without one it is host and port of the url',
      });
    else if (same)
      problems.push({ path: at, given: `the server of ${same.at}`, accepted: 'another server' });
    seen.push({ ...shard, at });
  }
}

function listed(given: string | ShardOptions | undefined): ListedShard | undefined {
  try {
    return given === undefined ? undefined : listedShard(given);
  } catch {
    return undefined; // its url is none
  }
}
