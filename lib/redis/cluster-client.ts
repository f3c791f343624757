import {
  Cluster,
  type ClusterNode,
  type ClusterOptions,
  type Redis,
  type RedisOptions,
} from 'ioredis';
import type { OptionProblem } from '../common/errors.js';
import { withoutCommand } from '../resilience/redis-failure.js';
import { reportOnce, safeOptions, type ConnectionContext } from './connection.js';
import { isClient, noClient } from './given-client.js';
import { giveUpWhenSilent } from './silence.js';
import type { ClusterTopologyOptions } from './topology.options.js';
import { hearUnreadyClose } from './unready.js';

/** One address at which a cluster is found, and what its URL says beside it. */
export type Seed = { host: string; port: number } & Pick<
  RedisOptions,
  'username' | 'password' | 'tls'
>;

const DEFAULT_PORT = 6379;

/** Throws for what is no address, without a word of it: there may be a password in it. */
export function seedOf(node: string | { host: string; port: number }): Seed {
  if (typeof node === 'object') return { host: node.host, port: node.port };
  const text = /^rediss?:\/\//i.test(node) ? node : `redis://${node}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.hostname || !/^(\/0?)?$/.test(url.pathname) || url.search !== '')
    throw new TypeError('a node of the cluster is no host and port');
  const { username, password } = url;
  return {
    host: decodeURIComponent(url.hostname).replace(/^\[|\]$/g, ''),
    port: Number(url.port || DEFAULT_PORT),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

/** Where a client begins, whoever has made it. */
export function seedsOf(client: Cluster): Seed[] {
  const { startupNodes = [] } = client as unknown as { startupNodes?: readonly ClusterNode[] };
  return startupNodes.map((node) => {
    const fields = typeof node === 'object' ? node : fieldsOf(String(node));
    return { ...fields, host: fields.host ?? '127.0.0.1', port: fields.port ?? DEFAULT_PORT };
  });
}

/** A client takes more than we do: a port alone, and behind an address a database, which it ignores, and parameters. */
function fieldsOf(node: string): Partial<Seed> {
  return /^\d+$/.test(node) ? { port: Number(node) } : seedOf(node.replace(/(?<![:/])[/?].*$/, ''));
}

/** A client of ours, not connected yet. `cluster` goes before the safe options. */
export function createCluster(
  { nodes = [], cluster = {} }: ClusterTopologyOptions,
  context: ConnectionContext,
): Cluster {
  const seeds = nodes.map(seedOf);
  const redisOptions = {
    ...safeOptions(context),
    ...credentialsOf(seeds),
    ...cluster.redisOptions,
  };
  const { tls } = redisOptions;
  // What a seed says goes before what all nodes are told.
  const client = new Cluster(tls ? seeds.map((seed) => ({ ...seed, tls })) : seeds, {
    ...safeClusterOptions(context),
    // A certificate names the host, so that it must not be replaced by its address.
    ...(tls && { dnsLookup: (host, done) => done(null, host) }),
    ...cluster,
    redisOptions,
    lazyConnect: true,
    // What keeps the table of slots fresh instead can be stopped: the client's own timer outlives a disconnect that falls
    // into a refresh.
    slotsRefreshInterval: undefined,
  });
  waitForNodesOnly(client);
  tellOfNames(client);
  client.on('+node', (node: Redis) => giveUpWhenSilent(node, context));
  const report = reportOnce(context);
  client.on('error', report);
  hearUnreadyClose(client, (why) => client.emit('error', why));
  client.on('node error', (error: Error, node: string) =>
    report(new Error(`${node}: ${error.message}`, { cause: withoutCommand(error) })),
  );
  return client;
}

/**
 * While the cluster is there, what is sent to a node that is connecting waits for that attempt, in order; it is rejected if
 * that fails. Otherwise it is rejected at once: the client's own queue would keep it, and all others, until a cluster comes.
 */
function waitForNodesOnly(client: Cluster): void {
  Object.defineProperty(client.options, 'enableOfflineQueue', {
    get: () => client.status === 'ready',
  });
}

/** That names cannot be looked up the client tells nobody but who is asked whether it is to try again. */
function tellOfNames(client: Cluster): void {
  const { clusterRetryStrategy: delayOf } = client.options;
  client.options.clusterRetryStrategy = (attempt, reason) => {
    // Between `connecting` and `reconnecting`, which the client tells of in the next tick as well.
    if (reason) process.nextTick(() => client.emit('error', reason));
    return delayOf?.call(client, attempt, reason);
  };
}

/** What a node refuses for want of the slot is sent on to the one that has it; all else ends within some 200 ms. */
function safeClusterOptions({ connectTimeoutMs }: ConnectionContext): ClusterOptions {
  return {
    scaleReads: 'master',
    maxRedirections: 6,
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    retryDelayOnTryAgain: 20,
    // One slot that has moved makes the client look for the whole range elsewhere, until the table is fresh again.
    retryDelayOnMoved: 20,
    slotsRefreshTimeout: connectTimeoutMs / 2,
    clusterRetryStrategy: (attempt) =>
      Math.min(50 * 2 ** (attempt - 1), 1_000) + Math.random() * 100,
    // Ends after some five seconds: the seeds are asked again only when every node is given up.
    clusterNodeRetryStrategy: (attempt) => (attempt > 10 ? null : Math.min(100 * attempt, 1_000)),
  };
}

/** What one seed's URL says is meant for the nodes that are found through it, too. */
function credentialsOf(seeds: readonly Seed[]): Partial<Seed> {
  const { username, password } = seeds.find((seed) => seed.password !== undefined) ?? {};
  const tls = seeds.find((seed) => seed.tls)?.tls;
  return { ...(username && { username }), ...(password && { password }), ...(tls && { tls }) };
}

/** Why a client cannot be used. */
export function problemsOfCluster(client: Cluster): OptionProblem[] {
  if (!isClient(client)) return [noClient(client)];
  if (client.isCluster) return problemsOfClusterOptions(client.options, 'topology.client.options');
  return [
    {
      path: 'topology.client',
      given: 'a Redis',
      accepted: "a Cluster; a Redis with type 'single'",
    },
  ];
}

/** Settings with which the cache could not keep what it promises. */
export function problemsOfClusterOptions(options: ClusterOptions, path: string): OptionProblem[] {
  const { scaleReads = 'master', enableAutoPipelining, keyPrefix, redisOptions } = options;
  const problems: OptionProblem[] = [];
  if (scaleReads !== 'master')
    problems.push({
      path: `${path}.scaleReads`,
      given: typeof scaleReads === 'string' ? `'${scaleReads}'` : `a ${typeof scaleReads}`,
      accepted: "'master', because a replica may still have what has been evicted",
    });
  if (enableAutoPipelining)
    problems.push({
      path: `${path}.enableAutoPipelining`,
      given: 'true',
      accepted: 'false, because such a batch does not follow slots that have moved',
    });
  if (keyPrefix || redisOptions?.keyPrefix)
    problems.push({
      // It would be put before keys, but not before channels, patterns or keys inside scripts.
      path: `${path}.${keyPrefix ? '' : 'redisOptions.'}keyPrefix`,
      given: 'a prefix',
      accepted: 'none; `namespace` is the prefix of the cache',
    });
  return problems;
}
