import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { InvalidationListener } from '../bus/invalidation-listener.js';
import type { CacheService } from '../cache/cache.service.js';
import { systemClock, type TimerHandle } from '../common/clock.js';
import { parseDuration, type Duration } from '../common/duration.js';
import { CacheOptionsError } from '../common/errors.js';
import { aDuration, problemsOf, type Rules } from '../common/option-checks.js';
import { DEFAULT_CACHE, getCacheToken, getInvalidationListenerToken } from '../common/tokens.js';
import type { NodeInfo } from '../redis/node-survey.js';

export interface HealthCheckOptions {
  /** The `name` of the cache. Default: the unnamed one. */
  cache?: string;
  /** How long the check may take, beside `timeouts.read`, within which each server has to answer. Default '1s'. */
  timeout?: Duration;
  /**
   * What it is called when no server answers. `degraded` for an application that serves without its cache as well: it is not taken out of
   * service then. Default 'down'.
   */
  whenUnreachable?: 'down' | 'degraded';
}

const RULES: Rules<HealthCheckOptions> = {
  cache: { accepted: 'the name of a cache that is registered', ok: (v) => typeof v === 'string' },
  timeout: aDuration,
  whenUnreachable: {
    accepted: "'down' or 'degraded'",
    ok: (v) => v === 'down' || v === 'degraded',
  },
};

/** One server, as the result has it. */
export type NodeHealth = Pick<NodeInfo, 'connected' | 'circuit' | 'pingMs' | 'version'> & {
  /** Why it has not answered. */
  error?: string;
};

/** What the result says beside its status. */
export type CacheHealth = {
  /** By their name: host and port, or that of the shard. */
  nodes: Record<string, NodeHealth>;
  /** Whether the messages arrive that keep the copies true, and how long they take. */
  invalidations: { live: boolean; lagMs?: number };
  /** Evicts that have not reached Redis yet. */
  pendingEvicts: number;
  message?: string;
};

type Status = 'up' | 'degraded' | 'down';
/** As the installed Terminus has it: 'degraded' since version 12. */
type KnownStatus = HealthIndicatorResult[string]['status'];

/**
 * The health of a cache for `@nestjs/terminus`. `up`: every server answers, and messages arrive. `degraded`: the cache serves, but a server is
 * missing, or messages do not arrive and no copies are used. `down`: no server answers. The memory topology is up.
 *
 * @publicApi
 */
@Injectable()
export class RedisCacheHealth {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly moduleRef: ModuleRef,
  ) {}

  /** Throws `CacheOptionsError` for wrong options and where there is no cache of that name; never rejects for what is wrong with one. */
  async check<const Name extends string>(
    key: Name,
    options: HealthCheckOptions = {},
  ): Promise<HealthIndicatorResult<Name, KnownStatus, CacheHealth>> {
    const problems = problemsOf(options, RULES);
    if (problems.length > 0) throw new CacheOptionsError('RedisCacheHealth', problems);
    const { cache = DEFAULT_CACHE, timeout = '1s', whenUnreachable = 'down' } = options;
    const timeoutMs = parseDuration(timeout, {}, 'timeout');
    const service = this.find<CacheService>(getCacheToken(cache), cache);
    const listener = this.find<InvalidationListener>(getInvalidationListenerToken(cache), cache);
    const nodes = await within(timeoutMs, service.nodes());
    const health = describe(nodes ?? [], service, listener);
    const status = statusOf(nodes, listener.live, whenUnreachable);
    if (!nodes) health.message = `no answer within ${timeoutMs} ms`;
    return this.indicate(key, status, health);
  }

  private indicate<const Name extends string>(key: Name, status: Status, health: CacheHealth) {
    const session = this.indicators.check(key);
    if (status === 'down') return session.down(health);
    if (status === 'up') return session.up(health);
    // Terminus 11 does not know it; there it is up, and says so by a message.
    return typeof session.degraded === 'function'
      ? session.degraded(health)
      : session.up({ ...health, message: health.message ?? 'degraded' });
  }

  private find<T>(token: symbol, cache: string): T {
    try {
      return this.moduleRef.get<T>(token, { strict: false });
    } catch {
      const { accepted } = RULES.cache;
      throw new CacheOptionsError('RedisCacheHealth', [
        { path: 'cache', given: `'${cache}'`, accepted },
      ]);
    }
  }
}

function statusOf(
  nodes: readonly NodeInfo[] | undefined,
  live: boolean,
  whenUnreachable: Status,
): Status {
  const answered = nodes?.filter(({ error }) => !error).length ?? 0;
  if (answered === 0) return whenUnreachable;
  return live && answered === nodes!.length ? 'up' : 'degraded';
}

function describe(
  nodes: readonly NodeInfo[],
  service: CacheService,
  { live, lagMs }: InvalidationListener,
): CacheHealth {
  return {
    nodes: Object.fromEntries(nodes.map((node) => [node.name, nodeHealth(node)])),
    invalidations: { live, ...(lagMs !== undefined && { lagMs: rounded(lagMs) }) },
    pendingEvicts: service.stats().journal,
  };
}

function nodeHealth({ connected, circuit, pingMs, version, error }: NodeInfo): NodeHealth {
  return {
    connected,
    circuit,
    ...(pingMs !== undefined && { pingMs: rounded(pingMs) }),
    ...(version !== undefined && { version }),
    ...(error && { error: error.message }),
  };
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;

/** Undefined: too late. */
async function within<T>(ms: number, answer: Promise<T>): Promise<T | undefined> {
  let timer: TimerHandle;
  const late = new Promise<undefined>((resolve) => {
    timer = systemClock.setTimer(ms, () => resolve(undefined));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    systemClock.clearTimer(timer);
  }
}
