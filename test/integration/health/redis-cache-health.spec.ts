import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, type INestApplication } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import { RedisCacheHealth, type HealthCheckOptions } from '../../../lib/health/index.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';
import { collect } from '../methods/app.js';

let servers: TestServer[];
beforeAll(async () => {
  servers = await Promise.all([startServer(), startServer()]);
});
afterAll(() => Promise.all(servers.map((server) => server.stop())));

const open: INestApplication[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
  await Promise.all(servers.map((server) => server.restart()));
});

let options: HealthCheckOptions;

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly cache: RedisCacheHealth,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.cache.check('cache', options)]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [RedisCacheHealth],
})
class HealthModule {}

interface Answer {
  http: number;
  status: string;
  details: { cache: Record<string, any> };
}

async function start(topology: RedisCacheOptions['topology'], given: HealthCheckOptions = {}) {
  options = given;
  const imports = [RedisCacheModule.forRoot({ topology, name: given.cache }), HealthModule];
  const module = await Test.createTestingModule({ imports }).setLogger(collect([])).compile();
  const app = await module.createNestApplication().init();
  open.push(app);
  return async (): Promise<Answer> => {
    const { status, body } = await request(app.getHttpServer()).get('/health');
    return { http: status, ...(body as Omit<Answer, 'http'>) };
  };
}

describe('RedisCacheHealth', () => {
  it('K5 O10 check — memory → up', async () => {
    const ask = await start({ type: 'memory' });
    expect(await ask()).toMatchObject({
      http: 200,
      status: 'ok',
      details: {
        cache: {
          status: 'up',
          nodes: { memory: { connected: true, circuit: 'closed', pingMs: 0 } },
          invalidations: { live: true },
          pendingEvicts: 0,
        },
      },
    });
  });

  it('K5 O10 check — Redis answers, is killed, comes back → up with lag and ping, down, up', async () => {
    const [server] = servers as [TestServer];
    const name = `${server.host}:${server.port}`;
    const ask = await start({ type: 'single', url: server.url }, { cache: 'reports' });
    const isUp = async (): Promise<Answer | undefined> => {
      const answer = await ask();
      return answer.status === 'ok' ? answer : undefined;
    };
    const up = (await waitFor(isUp))!;
    const { status, nodes, invalidations } = up.details.cache;
    expect([up.http, status, Object.keys(nodes as object)]).toEqual([200, 'up', [name]]);
    expect(nodes[name]).toMatchObject({ connected: true, circuit: 'closed' });
    expect(nodes[name].pingMs).toBeGreaterThanOrEqual(0);
    expect(invalidations.live).toBe(true);
    expect(invalidations.lagMs).toBeGreaterThanOrEqual(0);

    await server.kill();
    const down = await ask();
    expect([down.http, down.status, down.details.cache.status]).toEqual([503, 'error', 'down']);
    expect(down.details.cache.nodes[name].connected).toBe(false);
    expect(down.details.cache.nodes[name].error).toEqual(expect.any(String));
    await waitFor(async () => (await ask()).details.cache.invalidations.live === false);

    await server.restart();
    expect(await waitFor(isUp, { timeoutMs: 12_000 })).toMatchObject({ http: 200 });
  });

  it("K5 check — whenUnreachable: 'degraded' → the application stays in service", async () => {
    const [server] = servers as [TestServer];
    await server.kill();
    const ask = await start({ type: 'single', url: server.url }, { whenUnreachable: 'degraded' });
    const { http, status } = await ask();
    expect([http, status]).toEqual([200, 'degraded']);
  });

  it('K5 O10 check — one of two shards is killed → degraded, and it says which', async () => {
    const shards = servers.map(({ url }, i) => ({ name: `shard-${i}`, url }));
    const ask = await start({ type: 'sharded', shards });
    await waitFor(async () => (await ask()).status === 'ok');
    await servers[1]!.kill();
    const { http, status, details } = await ask();
    expect([http, status, details.cache.status]).toEqual([200, 'degraded', 'degraded']);
    const nodes = Object.values(details.cache.nodes as Record<string, { error?: string }>);
    expect(nodes.filter(({ error }) => error === undefined)).toHaveLength(1);
  });

  it('K5 O10 check — Redis stands still → down within the timeout of a read', async () => {
    const [server] = servers as [TestServer];
    const ask = await start({ type: 'single', url: server.url });
    await waitFor(async () => (await ask()).status === 'ok');
    await server.pause();
    try {
      const began = performance.now();
      expect((await ask()).http).toBe(503);
      expect(performance.now() - began).toBeLessThan(3000);
    } finally {
      await server.resume();
    }
  });

  it('K5 O10 check — a timeout that is shorter than that of a read → down, with a message', async () => {
    const [server] = servers as [TestServer];
    const ask = await start({ type: 'single', url: server.url }, { timeout: 20 });
    await server.pause();
    try {
      const { http, details } = await ask();
      expect([http, details.cache.message]).toEqual([503, 'no answer within 20 ms']);
    } finally {
      await server.resume();
    }
  });

  it('K5 O10 check — a cache that there is not, a wrong timeout → CacheOptionsError', async () => {
    await start({ type: 'memory' });
    const health = open[0]!.get(RedisCacheHealth);
    await expect(health.check('x', { cache: 'none' })).rejects.toThrow(CacheOptionsError);
    await expect(health.check('x', { timeout: 0 })).rejects.toThrow(CacheOptionsError);
  });
  it.each([
    [{ whenUnreachable: 'dwon' }, /whenUnreachable: given "dwon", accepted 'down' or 'degraded'/],
    [{ whenUnreachable: null }, /whenUnreachable: given null/],
    [{ timeout: 'soon' }, /timeout: given "soon"/],
    [{ cache: 5 }, /cache: given 5/],
    [{ whenUnreachble: 'degraded' }, /whenUnreachble: given an unknown option, accepted cache, /],
    [null, /options: given null/],
  ])('K5 O10 check — %j → CacheOptionsError', async (given, text) => {
    await start({ type: 'memory' });
    const checked = open[0]!.get(RedisCacheHealth).check('x', given as HealthCheckOptions);
    await expect(checked).rejects.toThrow(CacheOptionsError);
    await expect(checked).rejects.toThrow(text);
  });
});
