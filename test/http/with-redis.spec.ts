import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Param } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { Gate } from '../support/gate.js';
import { freePort } from '../support/ports.js';
import { announce, PLATFORMS, startApp, type Platform } from './http-app.js';

let runs = 0;
let door: Gate | undefined;
let namespace = '';

@Controller('cats')
class CatsController {
  @Get(':id')
  @Cacheable()
  async find(@Param('id') id: string) {
    const run = ++runs;
    await door?.pass();
    return { id, run };
  }

  @Get(':id/by-key')
  @Cacheable({ key: 'cat:{params.id}' })
  byKey(@Param('id') id: string) {
    return { id, run: ++runs };
  }

  @Get(':id/evicting')
  @CacheEvict({ key: 'cat:{params.id}' })
  evicting(@Param('id') id: string) {
    return { id };
  }
}

const controllers = [CatsController];
const topology = () => ({ type: 'single', url: process.env.TEST_REDIS_URL! }) as const;
const start = (platform: Platform, received?: Gate) =>
  startApp(
    platform,
    { controllers },
    { options: { namespace, topology: topology() }, configure: received && announce(received) },
  );

beforeEach(() => {
  runs = 0;
  door = undefined;
  namespace = `t${randomBytes(6).toString('hex')}`;
});

describe.each(PLATFORMS)('with Redis, on %s', (platform) => {
  it('P1 a miss in one process → a hit in another, with Age and ETag', async () => {
    const [one, other] = [await start(platform), await start(platform)];
    const miss = await one.send('/cats/1');
    const hit = await other.send('/cats/1');
    expect(hit.text).toBe(miss.text);
    expect(hit.headers).toMatchObject({ 'x-cache': 'HIT', age: '0', etag: miss.headers.etag });
  });

  it('P1 concurrent misses in two processes → the handler runs once', async () => {
    const received = new Gate();
    const apps = [await start(platform, received), await start(platform, received)];
    door = new Gate();
    const replies = Array.from({ length: 20 }, (_, i) => apps[i % 2]!.send('/cats/1'));
    await Promise.all([received.arrived(20), door.arrived()]);
    door.open();
    const bodies = new Set((await Promise.all(replies)).map(({ text }) => text));
    expect([...bodies]).toEqual(['{"id":"1","run":1}']);
    expect(runs).toBe(1);
  });

  it('what lies at the key is no response → a miss, replaced', async () => {
    // A copy in this process would know nothing of what somebody else writes.
    const options = { namespace, topology: topology(), l1: false } as const;
    const { send, cache, verdict } = await startApp(platform, { controllers }, { options });
    const redis = new Redis(process.env.TEST_REDIS_URL!);
    try {
      await cache.set('cat:1', { no: 'response' });
      expect((await send('/cats/1/by-key')).json().run).toBe(1);
      expect(await verdict('/cats/1/by-key')).toBe('HIT');
      for (const key of await redis.keys(`*${namespace}*`)) await redis.set(key, 'garbage');
      expect(await verdict('/cats/1/by-key')).toBe('MISS');
    } finally {
      redis.disconnect();
    }
  });

  it.each([
    ['open', 200, 2, 'nestjs-redis-cache; fwd=miss'],
    ['strict', 500, 0, undefined],
  ] as const)("Redis out of reach, failure: '%s' → %i", async (failure, status, ran, said) => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const { send } = await startApp(
      platform,
      { controllers },
      {
        options: {
          namespace,
          failure,
          topology: { type: 'single', url },
          timeouts: { connect: 200, read: 100, write: 100 },
          shutdownTimeout: 100,
          onError: () => undefined,
        },
      },
    );
    const first = await send('/cats/1');
    const second = await send('/cats/1');
    expect([first.status, second.status]).toEqual([status, status]);
    expect(runs).toBe(ran);
    expect(second.headers['cache-status']).toBe(said);
    expect((await send('/cats/1/evicting')).status).toBe(status);
  });
});

describe('mounted applications, on express', () => {
  it('P1 two applications under one server and one namespace → an entry for each mount', async () => {
    const [cats, dogs] = [await start('express'), await start('express')];
    const parent = await startApp(
      'express',
      {},
      {
        configure: (app) => {
          app.use('/cats-app', cats.app.getHttpAdapter().getInstance());
          app.use('/dogs-app', dogs.app.getHttpAdapter().getInstance());
        },
      },
    );
    expect((await parent.send('/cats-app/cats/1')).json().run).toBe(1);
    expect((await parent.send('/dogs-app/cats/1')).json().run).toBe(2);
    expect(await parent.verdict('/cats-app/cats/1')).toBe('HIT');
  });
});
