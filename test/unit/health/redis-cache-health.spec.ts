import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import { getCacheToken } from '../../../lib/common/tokens.js';
import { RedisCacheHealth } from '../../../lib/health/index.js';
import type { NodeInfo } from '../../../lib/redis/node-survey.js';

const WELL: NodeInfo = {
  ...{ name: 'a', connected: true, circuit: 'closed', inFlight: 0, waiting: 0 },
  ...{ pingMs: 1.26, version: '7.2.4' },
};

interface Cache {
  nodes?: () => Promise<NodeInfo[]>;
  live?: boolean;
  lagMs?: number;
  journal?: number;
}

/** The health of such a cache. */
function healthOf(cache: Cache, indicators = new HealthIndicatorService()): RedisCacheHealth {
  const { nodes = async () => [WELL], live = true, lagMs, journal = 0 } = cache;
  const service = { nodes, stats: () => ({ journal }) };
  const get = (token: unknown) => (token === getCacheToken() ? service : { live, lagMs });
  return new RedisCacheHealth(indicators, { get } as unknown as ModuleRef);
}

describe('RedisCacheHealth', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('K5 O10 check — all is well → each server, times to a tenth of a millisecond, evicts that wait; and no timer is left', async () => {
    expect(await healthOf({ lagMs: 0.349, journal: 3 }).check('cache')).toEqual({
      cache: {
        status: 'up',
        nodes: { a: { connected: true, circuit: 'closed', pingMs: 1.3, version: '7.2.4' } },
        invalidations: { live: true, lagMs: 0.3 },
        pendingEvicts: 3,
      },
    });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('K5 O10 check — every server answers, and no messages arrive → degraded', async () => {
    const { cache } = await healthOf({ live: false }).check('cache');
    expect(cache).toMatchObject({ status: 'degraded', invalidations: { live: false } });
  });

  it('K5 check — degraded, under a Terminus that does not know that → up, and the message says so', async () => {
    const session = {
      up: (data: object) => ({ cache: { status: 'up', ...data } }),
      down: (data: object) => ({ cache: { status: 'down', ...data } }),
    };
    const older = { check: () => session } as unknown as HealthIndicatorService;
    const { cache } = await healthOf({ live: false }, older).check('cache');
    expect(cache).toMatchObject({ status: 'up', message: 'degraded' });
  });

  it('K5 O10 check — no answer and no timeout given → down after a second', async () => {
    const checked = healthOf({ nodes: () => new Promise(() => undefined) }).check('cache');
    await jest.advanceTimersByTimeAsync(1_000);
    const { cache } = await checked;
    expect(cache).toMatchObject({ status: 'down', message: 'no answer within 1000 ms' });
  });
});
