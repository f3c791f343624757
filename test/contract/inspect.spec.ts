import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, plainClient, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { evictInVain } from './support/evict-in-vain.js';
import { ManualClock } from './support/manual-clock.js';

describe.each(VARIANTS)('inspect on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, { grace: '1h', ...variant });
    ({ service } = cache);
  });

  const number = expect.any(Number);

  it('O11 a value → where it would come from, its life and its tags, never the value', async () => {
    await waitFor(() => cache.listener.live);
    await service.getOrSet(['user', 7], () => 'a secret', { ttl: '1m', tags: ['users', 'eu'] });
    const info = await service.inspect(['user', 7]);
    expect(info).toEqual({
      state: 'fresh',
      source: variant.l1 === false ? 'redis' : 'l1',
      kind: 'value',
      ttl: number,
      kept: number,
      tags: ['users', 'eu'],
      bytes: number,
    });
    const { ttl, kept, bytes } = info!;
    expect(ttl).toBeGreaterThan(50_000);
    expect(ttl).toBeLessThanOrEqual(60_100);
    expect(kept).toBeGreaterThan(3_650_000);
    expect(bytes).toBeGreaterThan('a secret'.length);
    expect(JSON.stringify(info)).not.toContain('secret');
  });

  it('O11 nothing, and in another namespace → undefined', async () => {
    await service.set('k', 1);
    expect(await service.inspect('absent')).toBeUndefined();
    expect(await service.namespace('users').inspect('k')).toBeUndefined();
  });

  it('O11 a value that does not expire → Infinity', async () => {
    await service.set('k', 1, { ttl: Infinity });
    expect(await service.inspect('k')).toMatchObject({ ttl: Infinity, kept: Infinity });
  });

  it('O11 past its ttl → stale; evicted by tag, or cleared → outdated', async () => {
    await service.set('k', 1, { ttl: 1 });
    await waitFor(async () => (await service.inspect('k'))!.state === 'stale');
    expect(await service.inspect('k')).toMatchObject({ source: 'redis', ttl: 0, kept: number });
    await service.set('k', 1, { tags: ['t'] });
    await service.evictTags('t');
    expect(await service.inspect('k')).toMatchObject({ state: 'outdated', source: 'redis' });
    await service.set('k', 1);
    await service.clear();
    expect(await service.inspect('k')).toMatchObject({ state: 'outdated', source: 'redis' });
  });

  it('O11 while it is loaded, and while it is written → loading, writing', async () => {
    const loading = new Gate();
    const load = service.getOrSet('k', async () => (await loading.pass(), 1));
    await loading.arrived();
    const empty = { source: 'redis', ttl: 0, kept: number, tags: [], bytes: number };
    expect(await service.inspect('k')).toEqual({ ...empty, state: 'loading' });
    loading.open();
    await load;
    await service.withWrite('k', async () => {
      expect(await service.inspect('k')).toEqual({ ...empty, state: 'writing' });
    });
    expect(await service.inspect('k')).toBeUndefined();
  });

  it('O11 an evict of it has not reached Redis → outdated', async () => {
    await service.set('k', 1);
    const letThrough = await evictInVain(cache, 'k');
    expect(await service.inspect('k')).toMatchObject({ state: 'outdated', source: 'redis' });
    await letThrough();
  });

  it('O11 a response → what it is, and no value to others', async () => {
    const { engine, listener } = cache;
    await waitFor(() => variant.l1 === false || listener.live);
    const key = engine.keySpace().entry('k');
    await engine.loadHttp(key, async () => Buffer.from('body'), {});
    expect(service.peek('k')).toBeUndefined();
    expect(await service.get('k')).toBeUndefined();
    expect(await service.has('k')).toBe(false);
    expect(await service.inspect('k')).toMatchObject({ state: 'fresh', kind: 'http' });
  });

  it('O11 a counter, and with age where values are refreshed → what it is, how old', async () => {
    await service.increment('n', 2);
    expect(await service.inspect('n')).toMatchObject({ state: 'fresh', kind: 'counter' });
    await service.getOrSet('k', () => 1, { refreshAhead: { after: 0.9 }, ttl: '1m' });
    const { age, ttl } = (await service.inspect('k'))!;
    expect(Math.abs(age! + ttl - 60_000)).toBeLessThan(50);
  });

  it('O11 ttl, kept and age → whole ms, also where the clock of the server is known in fractions', async () => {
    for (let i = 0; i < 20; i++) {
      await service.getOrSet(`k${i}`, () => 1, { refreshAhead: { after: 0.9 }, ttl: '1m' });
      const { age, ttl, kept } = (await service.inspect(`k${i}`))!;
      for (const ms of [age, ttl, kept]) expect(Number.isInteger(ms)).toBe(true);
    }
  });

  if (topology !== 'single') return;

  it('O11 not of this cache → foreign', async () => {
    await plainClient().set(`${cache.namespace}:kk`, 'of somebody else');
    expect(await service.inspect('k')).toMatchObject({ state: 'foreign', source: 'redis' });
  });
});

it('O11 the clock has gone back since it was stored → its age is 0', async () => {
  const clock = new ManualClock();
  const { service } = await openCache('memory', {}, { clock });
  await service.getOrSet('k', () => 1, { refreshAhead: { after: 0.9 }, ttl: '1m' });
  clock.wallOffsetMs -= 1_000;
  expect(await service.inspect('k')).toMatchObject({ state: 'fresh', age: 0 });
});
