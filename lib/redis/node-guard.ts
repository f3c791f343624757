import type { Cluster, Redis } from 'ioredis';
import { CallGuard, type CallGuardOptions } from '../resilience/call-guard.js';
import { unconnected, withoutCommand } from '../resilience/redis-failure.js';
import { nameOfNode, ownersIn } from './cluster-nodes.js';
import type { RedisClient, Topology } from './topology.js';
import { hearUnreadyClose } from './unready.js';

/** The guard of all servers of a topology; it hears when a connection is back, and when a master is none any more. */
export function guardNodes(
  redis: Topology,
  options: Omit<CallGuardOptions, 'ping'>,
): { guard: CallGuard; unwatch: () => void } {
  const guard = new CallGuard({ ...options, ping: pingTo(redis) });
  const [{ client } = { client: undefined }] = redis.shards();
  const ends = redis.connections().map((shard) => hear(shard, guard));
  if (client?.isCluster) ends.push(followCluster(client as Cluster, redis, guard));
  return { guard, unwatch: () => ends.forEach((end) => end()) };
}

/** Of each cache for one event. */
const MOST_LISTENERS = 2;

function hear(
  { name, client }: { name: string; client: RedisClient },
  guard: CallGuard,
): () => void {
  const connected = (): void => guard.connected(name);
  const lost = (error: unknown): void => guard.disconnected(name, withoutCommand(reasonOf(error)));
  client.on('ready', connected);
  // The client logs errors that nobody hears: of one that is not ours, that is for whoever has made it to say.
  const isHeard = client.listenerCount('error') > 0;
  if (isHeard) client.on('error', lost);
  const unhear = isHeard ? hearUnreadyClose(client, lost) : undefined;
  makeRoom(client, MOST_LISTENERS);
  return () => {
    unhear?.();
    client.off('ready', connected).off('error', lost);
    makeRoom(client, -MOST_LISTENERS);
  };
}

/** Any number of caches may have one client, of which Node would say that it is a leak. */
function makeRoom(client: RedisClient, by: number): void {
  const most = client.getMaxListeners();
  if (most > 0) client.setMaxListeners(most + by);
}

/** Of a cluster that is not found, what the last of its nodes has said. */
const reasonOf = (error: unknown): unknown =>
  (error as { lastNodeError?: Error }).lastNodeError ?? error;

/** The connections to masters come and go with them. */
function followCluster(cluster: Cluster, redis: Topology, guard: CallGuard): () => void {
  const heard = new Map<Redis, () => void>();
  const add = (node: Redis): void =>
    void heard.set(node, hear({ name: nameOfNode(node), client: node }, guard));
  const remove = (node: Redis): void => {
    heard.get(node)?.();
    heard.delete(node);
  };
  const forget = (): void => {
    const names = new Set([...redis.connections().map(({ name }) => name), ...ownersIn(cluster)]);
    guard.forgetOthers(names);
  };
  cluster.on('+node', add).on('-node', remove).on('refresh', forget);
  return () => {
    cluster.off('+node', add).off('-node', remove).off('refresh', forget);
    for (const end of heard.values()) end();
  };
}

/**
 * PING over each connection to a server that is open: all have to be answered. Not over one that is not, where a client
 * of the application might keep it for later, and not while an earlier one is unanswered: a frozen server would collect them.
 */
function pingTo(redis: Topology): (node: string) => Promise<unknown> {
  const unanswered = new WeakSet<object>();
  const ping = async (client: RedisClient): Promise<void> => {
    // A new connection knows nothing of what the last one had not answered.
    const connection = (client as Redis).stream ?? client;
    if (unanswered.has(connection)) throw new Error('the last PING has not been answered either');
    unanswered.add(connection);
    await client.ping().finally(() => unanswered.delete(connection));
  };
  return async (node) => {
    const clients = redis
      .connections()
      .flatMap(({ name, client }) => (name === node ? client : []));
    const [first] = clients;
    if (!first) throw new Error('it is no master of the cluster any more');
    const open = clients.filter(takesCommands);
    if (open.length === 0) throw unconnected(first.status);
    await Promise.all(open.map(ping));
  };
}

/** Nodes of a cluster connect at their first command, which a PING may well be. */
export function takesCommands({ status }: RedisClient): boolean {
  return status === 'ready' || status === 'wait';
}
