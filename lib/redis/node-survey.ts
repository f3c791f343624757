import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../common/clock.js';
import type { CallGuard } from '../resilience/call-guard.js';
import type { CircuitState } from '../resilience/circuit-breaker.js';
import { ownersIn } from './cluster-nodes.js';
import { unconnected } from '../resilience/redis-failure.js';
import { takesCommands } from './node-guard.js';
import type { RedisClient, Topology } from './topology.js';

/** One server, as this process sees it at this moment. */
export interface NodeInfo {
  /** Host and port, or the name of the shard; never with credentials. `memory` without Redis. */
  readonly name: string;
  /** All connections for commands are ready. */
  readonly connected: boolean;
  /** `closed`: commands are sent to it. `open`: it does not answer, and they are refused; `half-open`: a PING is on its way. */
  readonly circuit: CircuitState;
  /** What a PING took, in ms, over the slowest of the connections; undefined where one has failed. */
  readonly pingMs?: number;
  /** Why it failed: `CacheConnectionError`, `CacheTimeoutError`. */
  readonly error?: Error;
  /** Commands that were sent and not answered yet, the PING left out; and those that wait to be sent. */
  readonly inFlight: number;
  readonly waiting: number;
  /** Of Redis or Valkey, `'7.2.4'`; undefined where it is not told, or where the PING has failed. */
  readonly version?: string;
}

interface SurveyParts {
  redis: Topology;
  guard: CallGuard;
  clock: Clock;
}

/** Asks every server, each within the time of a read; those of which only the layout before this one knows as well. Never rejects. */
export async function surveyNodes(parts: SurveyParts): Promise<NodeInfo[]> {
  const health = parts.guard.health();
  return Promise.all(
    [...linksOf(parts.redis)].map(async ([name, clients]) => {
      const { inFlight = 0, waiting = 0 } = health.get(name) ?? {};
      const answer = await ask(name, clients, parts);
      const connected = clients.length > 0 && clients.every(({ status }) => status === 'ready');
      return { name, connected, circuit: parts.guard.state(name), ...answer, inFlight, waiting };
    }),
  );
}

/** Servers and the connections to them. A master that the client has given up has none, and has its slots nevertheless. */
function linksOf(redis: Topology): Map<string, RedisClient[]> {
  const links = new Map<string, RedisClient[]>();
  for (const { name, client } of redis.connections())
    if (!client.isCluster) links.set(name, [...(links.get(name) ?? []), client]);
  for (const { name, client } of redis.shards()) {
    if (!client.isCluster) continue;
    for (const owner of ownersIn(client as Cluster)) if (!links.has(owner)) links.set(owner, []);
    if (links.size === 0) links.set(name, [client]);
  }
  return links;
}

async function ask(
  name: string,
  clients: readonly RedisClient[],
  { guard, clock }: SurveyParts,
): Promise<Pick<NodeInfo, 'pingMs' | 'version' | 'error'>> {
  const askOver = (client?: RedisClient): Promise<Answer> =>
    guard.run('read', 'ping', () => ping(client, clock), name);
  try {
    const [first, ...others] = await Promise.all([
      askOver(clients[0]),
      ...clients.slice(1).map(askOver),
    ]);
    const pingMs = Math.max(first!.pingMs, ...others.map((answer) => answer.pingMs));
    return { ...first, pingMs };
  } catch (error) {
    return { error: error as Error };
  }
}

type Answer = { pingMs: number; version?: string };

async function ping(client: RedisClient | undefined, clock: Clock): Promise<Answer> {
  if (!client) throw new Error('the client has no connection to it');
  if (!takesCommands(client)) throw unconnected(client.status);
  const beganAt = clock.monotonic();
  const pong = client.ping();
  const telling = versionOf(client);
  await pong;
  const pingMs = clock.monotonic() - beganAt;
  const version = await telling;
  return version === undefined ? { pingMs } : { pingMs, version };
}

/** As each connection has told once. */
const versions = new WeakMap<object, string>();

async function versionOf(client: RedisClient): Promise<string | undefined> {
  const connection = (client as Redis).stream ?? client;
  const known = versions.get(connection);
  if (known !== undefined) return known;
  const info = await client.info('server').catch(() => '');
  const version = (/^valkey_version:(\S+)/m.exec(info) ?? /^redis_version:(\S+)/m.exec(info))?.[1];
  if (version !== undefined) versions.set(connection, version);
  return version;
}
