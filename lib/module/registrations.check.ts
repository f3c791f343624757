import { Logger, type OnModuleInit, type Provider } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { getCacheOptionsToken, isCacheOptionsToken } from '../common/tokens.js';
import { seedOf } from '../redis/cluster-client.js';
import { serverOf } from '../redis/server-of.js';
import { listedShard } from '../redis/shard-list.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

interface Registration {
  readonly token: unknown;
  readonly options: ResolvedCacheOptions;
}

const TWICE =
  'registered more than once in this application: each is a cache of its own, and what one of them evicts the others still have; register it once, in the root module, or give the others a name';
const TOGETHER =
  'has the server and the namespace of another cache of this application: they share their keys, and what one of them clears is gone for both; give it a namespace of its own';

/** Tells, at the start, of registrations that will not have been meant: two that are taken for one, and two for which it is the other way round. */
class RegistrationsCheck implements OnModuleInit {
  constructor(
    private readonly own: Registration & { readonly where: string },
    private readonly discovery: DiscoveryService,
  ) {}

  onModuleInit(): void {
    const all = this.discovery
      .getProviders()
      .filter(({ token }) => isCacheOptionsToken(token))
      .map(({ token, instance }): Registration => ({ token, options: instance }));
    const { own } = this;
    // Each looks at those before it, so that all of them together say it once.
    const before = all.slice(
      0,
      all.findIndex(({ options }) => options === own.options),
    );
    const logger = new Logger('RedisCacheModule');
    if (before.some(({ token }) => token === own.token)) logger.warn(`${own.where}: ${TWICE}`);
    else if (before.some(({ options }) => sharesKeys(options, own.options)))
      logger.warn(`${own.where}: ${TOGETHER}`);
  }
}

/** As far as their options tell; the keys of memory are each cache's own. */
function sharesKeys(one: ResolvedCacheOptions, other: ResolvedCacheOptions): boolean {
  if (one.namespace !== other.namespace) return false;
  const servers = serversOf(other);
  return serversOf(one).some((server) => servers.includes(server));
}

/** None where a client of the application knows. */
function serversOf({ topology }: ResolvedCacheOptions): readonly string[] {
  if (topology.type === 'sharded') return topology.shards.map((shard) => listedShard(shard).server);
  if (topology.type === 'memory' || topology.client) return [];
  if (topology.type === 'single') return [serverOf(topology)];
  // Whichever of its nodes is named.
  const seeds = (topology.nodes ?? []).map(seedOf);
  return seeds.map(({ host, port }) => `cluster ${host.toLowerCase()}:${port}`);
}

/** For the cache of that name. */
export const registrationsCheck = (name: string, where: string): Provider => ({
  provide: RegistrationsCheck,
  useFactory: (options: ResolvedCacheOptions, discovery: DiscoveryService) =>
    new RegistrationsCheck({ token: getCacheOptionsToken(name), where, options }, discovery),
  inject: [getCacheOptionsToken(name), DiscoveryService],
});
