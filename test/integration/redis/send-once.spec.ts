import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { runScript } from '../../../lib/redis/script-runner.js';
import { defineScript } from '../../../lib/redis/script.js';
import type { RedisClient } from '../../../lib/redis/topology.js';
import { sharedCluster } from '../../support/cluster.js';
import { FaultProxy } from '../../support/proxy.js';
import { waitFor } from '../../support/wait-for.js';

const [once, again] = ([true, undefined] as const).map((only) =>
  defineScript({
    name: 'count',
    args: ['by'],
    replies: ['nothing', 'counted'],
    once: only,
    lua: `return { COUNTED, redis.call('INCRBY', key, by) }`,
  }),
);

/**
 * The reply is lost and the connection with it: a client that sends commands again then does so. The other half of each test,
 * a script that may be sent twice, shows that it does.
 */
describe('sendOnce', () => {
  const open: { client: RedisClient; proxies: FaultProxy[] }[] = [];
  let raw: Redis | Cluster;

  afterEach(async () => {
    for (const { client, proxies } of open.splice(0)) {
      client.disconnect();
      await Promise.all(proxies.map((proxy) => proxy.close()));
    }
  });

  async function loseReply(of: typeof once, start: typeof single): Promise<string> {
    const { client, proxies } = await start();
    open.push({ client, proxies });
    const key = `once:${randomUUID()}`;
    await runScript(client, of!, key, { by: 1 });
    for (const proxy of proxies) proxy.set('drop-replies');
    const lost = runScript(client, of!, key, { by: 1 }).then(
      () => 'answered',
      (error: Error) => `rejected: ${error.message}`,
    );
    await waitFor(async () => (await raw.get(key)) === '2');
    for (const proxy of proxies) proxy.set('pass');
    const outcome = await lost;
    // Whatever is sent afterwards gets the answer that is its own.
    const { details } = await runScript(client, again!, key, { by: 10 });
    return `${outcome.split(':')[0]}, then ${String(details[0])}`;
  }

  async function single(): Promise<{ client: RedisClient; proxies: FaultProxy[] }> {
    const proxy = await FaultProxy.start(process.env.TEST_REDIS_URL!);
    const client = new Redis(proxy.url, { retryStrategy: () => 20 });
    client.on('error', () => undefined);
    return { client, proxies: [proxy] };
  }

  async function cluster(): Promise<{ client: RedisClient; proxies: FaultProxy[] }> {
    const seeds = await sharedCluster();
    const proxies = await Promise.all(seeds.map((seed) => FaultProxy.start(`redis://${seed}`)));
    const behind = (i: number) => ({ host: '127.0.0.1', port: proxies[i]!.port });
    const client = new Cluster(
      seeds.map((_, i) => behind(i)),
      {
        natMap: Object.fromEntries(seeds.map((seed, i) => [seed, behind(i)])),
        retryDelayOnFailover: 50,
        redisOptions: { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
      },
    );
    client.on('error', () => undefined);
    return { client, proxies };
  }

  describe.each([
    ['a client that sends again after a reconnect', single],
    ['a cluster, whose client does so anyway', cluster],
  ])('%s', (_, start) => {
    beforeAll(async () => {
      raw = start === single ? new Redis(process.env.TEST_REDIS_URL!) : await rawCluster();
    });
    afterAll(() => raw.disconnect());

    it('T9 a script that is for once → rejected, carried out once', async () => {
      expect(await loseReply(once, start)).toBe('rejected, then 12');
    });

    it('T9 any other → carried out twice', async () => {
      expect(await loseReply(again, start)).toBe('answered, then 13');
    });
  });

  async function rawCluster(): Promise<Cluster> {
    const nodes = (await sharedCluster()).map((seed) => new URL(`redis://${seed}`));
    return new Cluster(nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port) })));
  }
});
